/** Loaded before everything else, with the name of a defect in `MUTANT`: that source is changed as it is loaded. */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { DEFECTS } from './defects.ts'

const ROOT = pathToFileURL(fileURLToPath(new URL('../../../', import.meta.url))).href
const defect = DEFECTS.find(({ name }) => name === process.env['MUTANT'])
if (defect === undefined) throw new RangeError(`no defect ${process.env['MUTANT']}`)
const { file, find, replace } = defect

registerHooks({
  load(url, context, nextLoad) {
    if (url !== `${ROOT}${file}`) return nextLoad(url, context)
    const source = readFileSync(fileURLToPath(url), 'utf8')
    if (!source.includes(find)) throw new Error(`${file} has changed: the defect does not apply`)
    return { format: 'module-typescript', source: source.replace(find, () => replace), shortCircuit: true }
  },
})
