/** How often a fault is repeated. */

/** `KAFKA_RUNS`, or what a short run does. */
export function kafkaRuns(short: number): number {
  const given = process.env['KAFKA_RUNS']
  return given === undefined ? short : Number(given)
}
