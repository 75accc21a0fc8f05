/** How the command ends when something is wrong: what it says, and its exit code. */

/** Stable; `docs/cli.md` lists them. */
export const exitCodes = Object.freeze({
  ok: 0,
  /** Something failed while running. */
  failure: 1,
  /** A flag, an argument, the configuration or an input file is wrong. */
  usage: 2,
  /** The command ran and a check that it makes did not hold. */
  checkFailed: 3,
  /** The data directory is in use, belongs to something else, or is not empty where it must be. */
  directory: 4,
})

/** A flag or argument is wrong, or two do not go together. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** An input file is wrong. */
export class InputError extends Error {
  override readonly name = 'InputError'
}

/** The data directory cannot be used. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError'
}

/** A check did not hold. */
export class CheckError extends Error {
  override readonly name = 'CheckError'
}
