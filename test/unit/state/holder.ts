/** A process of its own that opens the state directory it is given, says how that went, and holds it until it is killed. */
import { isStateError, openLevelDb } from '../../../state/index.ts'

const [dir = '', application = ''] = process.argv.slice(2)
try {
  const database = await openLevelDb(dir, { application })
  await database.write([{ type: 'put', key: Buffer.from('held'), value: Buffer.from(String(process.pid)) }])
  process.stdout.write('open\n')
  process.stdin.resume()
} catch (error) {
  process.stdout.write(isStateError(error) ? `${error.code} ${error.detail}\n` : `${String(error)}\n`)
  process.exitCode = 1
}
