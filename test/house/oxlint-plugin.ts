/**
 * Lint rules of this repository, loaded by `.oxlintrc.json`.
 *
 * - `house/rooms`: each import is judged by the table of rooms.
 * - `house/pure`: pure rooms do not ask for the present (`new Date()`, `Date()`), which no built-in rule covers.
 *
 * Only the parts of the syntax tree that are read here are typed.
 */
import { relative, sep } from 'node:path'
import { judgeImport } from './rooms.ts'

interface Node {
  readonly type: string
}

interface Literal extends Node {
  readonly value: unknown
}

interface Named extends Node {
  readonly name?: string
  readonly value?: string
}

interface Specifier extends Node {
  readonly imported?: Named
  readonly local?: Named
}

interface Declaration extends Node {
  readonly source?: Literal | null
  readonly importKind?: 'type' | 'value'
  readonly exportKind?: 'type' | 'value'
  readonly specifiers?: readonly Specifier[]
}

interface Call extends Node {
  readonly callee: Named
  readonly arguments: readonly Node[]
}

interface Context {
  readonly cwd: string
  readonly filename: string
  report(problem: { node: Node; message: string }): void
}

const rooms = {
  meta: { type: 'problem' },
  create(context: Context) {
    const file = relative(context.cwd, context.filename).split(sep).join('/')

    function check(node: Declaration, typeOnly: boolean, names: readonly string[] | undefined): void {
      const specifier = node.source?.value
      if (typeof specifier !== 'string') return
      const message = judgeImport({ file, specifier, typeOnly, names })
      if (message !== undefined) context.report({ node, message })
    }

    function checkStatic(node: Declaration): void {
      // `import { type A }` leaves an import behind when types are stripped, so it does not count as type-only.
      check(node, node.importKind === 'type' || node.exportKind === 'type', importedNames(node))
    }

    return {
      ImportDeclaration: checkStatic,
      ExportNamedDeclaration: checkStatic,
      ExportAllDeclaration: checkStatic,
      ImportExpression: (node: Declaration) => check(node, false, undefined),
      TSImportType: (node: Declaration) => check(node, true, undefined),
    }
  },
}

function importedNames(node: Declaration): readonly string[] | undefined {
  const names: string[] = []
  for (const specifier of node.specifiers ?? []) {
    const name = node.type === 'ImportDeclaration' ? specifier.imported : specifier.local
    if (name === undefined) return undefined
    names.push(name.name ?? name.value ?? '*')
  }
  return names.length > 0 ? names : undefined
}

const pure = {
  meta: { type: 'problem' },
  create(context: Context) {
    const message = 'The present comes in through the Clock port or as an argument.'
    return {
      NewExpression(node: Call) {
        if (node.callee.name === 'Date' && node.arguments.length === 0) context.report({ node, message })
      },
      CallExpression(node: Call) {
        if (node.callee.name === 'Date') context.report({ node, message })
      },
    }
  },
}

const plugin = { meta: { name: 'house' }, rules: { rooms, pure } }

// oxlint asks for a default export.
export default plugin
