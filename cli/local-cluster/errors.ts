/** What a local cluster needs is missing, or one of its processes did not start, or ended by itself. */
export class LocalClusterError extends Error {
  override readonly name = 'LocalClusterError'
}
