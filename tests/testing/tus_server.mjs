// The official Node server with its file store, for tests: node tus_server.mjs DIRECTORY [MILLISECONDS]
// Uploads expire after that time, where there is one. Prints the port it listens on. Lies beside the node_modules that it needs.
import {createServer} from 'node:http'
import {FileStore} from '@tus/file-store'
import {Server} from '@tus/server'

const directory = process.argv[2]
const expirationPeriodInMilliseconds = Number(process.argv[3] ?? 0)
const datastore = new FileStore({directory, expirationPeriodInMilliseconds})
const tus = new Server({path: '/files', datastore})
const http = createServer((request, response) => tus.handle(request, response))
http.requestTimeout = 0
http.listen(0, '127.0.0.1', () => console.log(http.address().port))
