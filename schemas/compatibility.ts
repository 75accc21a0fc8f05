/** FULL_TRANSITIVE: every version of a schema reads what every other version wrote. */
import { avroType } from './avro-type.ts'
import type { AvroSchema } from './record-schema.ts'

/** A direction in which two versions do not understand each other. */
export class Incompatibility {
  /** `backward`: the newer one cannot read what the older wrote. `forward`: the other way round. */
  readonly direction: 'backward' | 'forward'
  readonly reason: string

  constructor(direction: 'backward' | 'forward', reason: string) {
    this.direction = direction
    this.reason = reason
  }

  toString(): string {
    return `not ${this.direction} compatible: ${this.reason}`
  }
}

/**
 * What keeps the two from reading each other's data; empty when nothing does.
 * @throws SchemaError when one of them is not a schema
 */
export function checkCompatibility(newer: AvroSchema, older: AvroSchema): Incompatibility[] {
  const [newType, oldType] = [avroType(newer), avroType(older)]
  const problems: Incompatibility[] = []
  const attempt = (direction: Incompatibility['direction'], resolve: () => unknown) => {
    try {
      resolve()
    } catch (error) {
      problems.push(new Incompatibility(direction, (error as Error).message))
    }
  }
  attempt('backward', () => newType.createResolver(oldType))
  attempt('forward', () => oldType.createResolver(newType))
  return problems
}
