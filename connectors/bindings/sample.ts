/** Sample messages: what a record would be like, written down as JSON. */
import { fromJson, JsonValueError } from '../../schemas/index.ts'
import type { CompiledBinding } from './compile.ts'
import { parseExactly } from './numbers.ts'
import type { Message } from './profile.ts'

export interface Sample {
  readonly value: unknown
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Epoch milliseconds; default 0. */
  readonly timestamp?: number
}

/** `{value, key?, headers?, timestamp?}`, or the value alone; of a topic of ours as plain JSON. */
export function readSample(
  binding: CompiledBinding,
  sample: unknown,
  offset: number,
): { readonly message: Message } | { readonly misfit: string } {
  const { value, key = null, headers = {}, timestamp = 0 } = isSample(sample) ? sample : { value: sample }
  const pairs = Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)] as const)
  const place = { topic: binding.from.name, partition: 0, offset, timestamp }
  try {
    // As bytes of the topic would be read.
    const theirs = parseExactly(JSON.stringify(value))
    const read = binding.source === undefined ? theirs : fromJson(binding.source.schema, value)
    return { message: { ...place, key, headers: pairs, value: read } }
  } catch (error) {
    if (!(error instanceof JsonValueError) && !(error instanceof SyntaxError)) throw error
    return { misfit: error.message }
  }
}

function isSample(sample: unknown): sample is Sample {
  return typeof sample === 'object' && sample !== null && Object.hasOwn(sample, 'value')
}
