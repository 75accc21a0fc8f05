/** Shops that already have topics of their own. */
import Type from 'typebox'
import { section } from './kinds.ts'

export const bindings = Type.Object(
  {
    profiles: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      list: true,
      path: true,
      expected: 'a list of files',
      env: 'MILLRACE_BINDINGS_PROFILES',
      description:
        'Files, each the profile of a shop whose own messages are read and written. All processes need the same.',
    }),
  },
  section,
)
