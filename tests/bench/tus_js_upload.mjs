// node tus_js_upload.mjs MODULES ENDPOINT FILE MIB: what client-bench does, by the tus-js-client in
// the directory MODULES.
import {createReadStream} from 'node:fs'
import {createRequire} from 'node:module'
import {performance} from 'node:perf_hooks'

const [modules, endpoint, file, mib] = process.argv.slice(2)
const {Upload} = createRequire(`${modules}/`)('tus-js-client')

const begin = performance.now()
const upload = new Upload(createReadStream(file), {
  endpoint,
  chunkSize: Number(mib) * 1024 * 1024 || Infinity,
  retryDelays: null, // a retry would be measured along
  onSuccess: () => console.log(((performance.now() - begin) / 1000).toFixed(6)),
  onError: (error) => {
    console.error(`tus_js_upload: ${error.message}`)
    process.exitCode = 1
  }
})
upload.start()
