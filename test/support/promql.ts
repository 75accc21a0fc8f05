/**
 * Which metrics and labels an expression of PromQL speaks of. It knows the words of the language, not its grammar:
 * whether an expression is right is for Prometheus to say.
 */

/** One metric where it is selected. */
export interface Selection {
  readonly metric: string
  readonly matchers: readonly Matcher[]
}

export interface Matcher {
  readonly label: string
  readonly op: '=' | '!=' | '=~' | '!~'
  readonly value: string
}

export interface Terms {
  readonly selections: readonly Selection[]
  /** Labels that results are grouped or joined by. */
  readonly groupings: readonly string[]
}

const GROUPING = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g
const SELECTION = /(?<![\w:.])([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?(?!\s*\(|[\w:])/g
const MATCHER = /(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g
const RANGE = /\[[^\]]*\]/g
/** Words that stand where a metric could. */
const WORDS: ReadonlySet<string> = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan'])

export function termsOf(expr: string): Terms {
  const groupings = [...expr.matchAll(GROUPING)].flatMap(([, labels = '']) => labels.match(/\w+/g) ?? [])
  const plain = expr.replaceAll(GROUPING, ' ').replaceAll(RANGE, ' ')
  const selections = [...plain.matchAll(SELECTION)]
    .filter(([, metric = '']) => !WORDS.has(metric.toLowerCase()))
    .map(([, metric = '', inside = '']) => ({ metric, matchers: matchersOf(inside) }))
  return { selections, groupings }
}

function matchersOf(inside: string): Matcher[] {
  return [...inside.matchAll(MATCHER)].map(([, label = '', op, value = '']) => {
    return { label, op: op as Matcher['op'], value }
  })
}

/** What a process exposes: label sets of its samples, by the name that a selection would say. */
export type Samples = ReadonlyMap<string, readonly Readonly<Record<string, string>>[]>

/** Reads Prometheus' text format. */
export function samplesOf(exposition: string): Samples {
  const samples = new Map<string, Record<string, string>[]>()
  for (const line of exposition.split('\n')) {
    const [, name, inside = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line) ?? []
    if (name === undefined) continue
    const labels = Object.fromEntries(
      [...inside.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)].map(([, label, value]) => [label, value]),
    ) as Record<string, string>
    samples.set(name, [...(samples.get(name) ?? []), labels])
  }
  return samples
}
