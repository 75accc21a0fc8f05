/** The judge of imports takes a whole statement and gives a reason or nothing. */
import { expectTypeOf, test } from 'vitest'
import { judgeImport, ROOMS, type ImportStatement } from '../house/rooms.ts'

test('the judge gives a reason or nothing', () => {
  expectTypeOf(judgeImport).parameters.toEqualTypeOf<[ImportStatement]>()
  expectTypeOf(judgeImport).returns.toEqualTypeOf<string | undefined>()
})

test('the table of rooms is read-only', () => {
  expectTypeOf<typeof ROOMS>().toExtend<Readonly<Record<string, unknown>>>()
  // @ts-expect-error no room can be added at run time
  ROOMS['attic'] = undefined
})
