/** Finds the repository's source files and reads imports and titles of tests off their syntax trees. */
import { globSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { parseSync } from 'vite'
import type { ImportStatement } from './rooms.ts'

export const ROOT = join(import.meta.dirname, '../..')

const SKIPPED: ReadonlySet<string> = new Set(['node_modules', 'dist', 'coverage'])

/** Paths from the top of the repository, with `/`, sorted. Dot folders are left out. */
export function sourceFiles(): string[] {
  const exclude = (path: string) => path.split(sep).some((part) => SKIPPED.has(part))
  return globSync('**/*.{ts,tsx,js,jsx}', { cwd: ROOT, exclude })
    .map((path) => path.split(sep).join('/'))
    .toSorted()
}

export function importsOf(file: string, code = readFileSync(join(ROOT, file), 'utf8')): ImportStatement[] {
  const found: ImportStatement[] = []
  visit(parseSync(file, code).program, (node) => {
    const specifier = specifierOf(node)
    if (specifier !== undefined) {
      found.push({ file, specifier, typeOnly: isTypeOnly(node), names: namesOf(node) })
    }
  })
  return found
}

/** `export * from` in a file: its text, empty when there is none. */
export function starExportsOf(file: string): string[] {
  const found: string[] = []
  visit(parseSync(file, readFileSync(join(ROOT, file), 'utf8')).program, (node) => {
    if (node['type'] === 'ExportAllDeclaration') found.push(specifierOf(node) ?? '')
  })
  return found
}

const REGISTERING: ReadonlySet<unknown> = new Set(['test', 'it', 'describe'])
/** What stands in a title for what only a run knows. */
const UNKNOWN = '…'

/** Titles of a file's tests and groups of tests, in order, and texts of their `each`; what is computed is `…`. */
export function titlesOf(file: string, code = readFileSync(join(ROOT, file), 'utf8')): string[] {
  const found: string[] = []
  visit(parseSync(file, code).program, (node) => {
    if (node['type'] !== 'CallExpression' || !REGISTERING.has(rootOf(node))) return
    const [first] = node['arguments'] as readonly SyntaxNode[]
    const title = textOf(first)
    if (title !== undefined) found.push(title)
    else if (first?.['type'] === 'ArrayExpression') {
      visit(first, (part) => {
        const text = part['type'] === 'Literal' ? textOf(part) : undefined
        if (text !== undefined) found.push(text)
      })
    }
  })
  return found
}

/** `test` of `test.each(rows)(title, …)` and of `test.runIf(is)(title, …)`. */
function rootOf(node: unknown): unknown {
  if (!isNode(node)) return undefined
  return node['type'] === 'Identifier'
    ? node['name']
    : rootOf(node['callee'] ?? node['object'] ?? node['tag'])
}

function textOf(node: SyntaxNode | undefined): string | undefined {
  if (node?.['type'] === 'Literal') {
    return typeof node['value'] === 'string' ? node['value'] : undefined
  }
  if (node?.['type'] !== 'TemplateLiteral') return undefined
  const parts = node['quasis'] as readonly { readonly value: { readonly cooked: string } }[]
  return parts.map(({ value }) => value.cooked).join(UNKNOWN)
}

type SyntaxNode = Readonly<Record<string, unknown>>

const IMPORTING: ReadonlySet<unknown> = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
])

function visit(node: unknown, see: (node: SyntaxNode) => void): void {
  if (Array.isArray(node)) {
    for (const child of node) visit(child, see)
  } else if (isNode(node)) {
    if (typeof node['type'] === 'string') see(node)
    for (const child of Object.values(node)) visit(child, see)
  }
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && !(value instanceof RegExp)
}

function specifierOf(node: SyntaxNode): string | undefined {
  if (!IMPORTING.has(node['type']) || !isNode(node['source'])) return undefined
  const value = node['source']['value']
  return typeof value === 'string' ? value : undefined
}

function isTypeOnly(node: SyntaxNode): boolean {
  return node['type'] === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type'
}

function namesOf(node: SyntaxNode): string[] | undefined {
  const specifiers = node['specifiers']
  if (!Array.isArray(specifiers) || specifiers.length === 0) return undefined
  const names: string[] = []
  for (const specifier of specifiers as SyntaxNode[]) {
    const name = node['type'] === 'ImportDeclaration' ? specifier['imported'] : specifier['local']
    if (!isNode(name)) return undefined
    names.push(String(name['name'] ?? name['value']))
  }
  return names
}
