// Servers for Node, for tests: node node_servers.mjs NAME PORT DIRECTORY. Lies beside the node_modules
// that they need. Node's own limit of five minutes a request is off.
import {createServer} from 'node:http'

const [name, port, directory] = process.argv.slice(2)

const kinds = {
  // Today's official server, which believes what a proxy says of itself.
  async 'tus-node'() {
    const {FileStore} = await import('@tus/file-store')
    const {Server} = await import('@tus/server')
    const tus = new Server({
      path: '/files',
      respectForwardedHeaders: true,
      datastore: new FileStore({directory}),
    })
    return (request, response) => tus.handle(request, response)
  },

  // The same on S3, at S3_ENDPOINT, with the credentials of the environment.
  async 'tus-node-s3'() {
    const {S3Store} = await import('@tus/s3-store')
    const {Server} = await import('@tus/server')
    const datastore = new S3Store({
      s3ClientConfig: {
        bucket: 'uploads',
        endpoint: process.env.S3_ENDPOINT,
        region: process.env.AWS_REGION,
        forcePathStyle: true,
      },
    })
    const tus = new Server({path: '/files', datastore})
    return (request, response) => tus.handle(request, response)
  },

  // The official server as it was in 2022. Its records are in XDG_CONFIG_HOME.
  async 'tus-node-0.9'() {
    const {default: old} = await import('tus-node-server')
    const tus = new old.Server({path: '/files'})
    tus.datastore = new old.FileStore({directory})
    return (request, response) => tus.handle(request, response)
  },

  async uploadx() {
    const {default: uploadx} = await import('node-uploadx')
    const tus = new uploadx.Tus({directory, path: '/files'})
    return (request, response) => tus.handle(request, response)
  },
}

const http = createServer(await kinds[name]())
http.requestTimeout = 0
http.listen(Number(port), '127.0.0.1')
