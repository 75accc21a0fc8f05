/**
 * Rows as CSV, as RFC 4180 has it, with line feeds. Nothing there is an empty field; a text without characters is `""`.
 */
import type { Row } from '../../connectors/index.ts'

export function csvHeader(names: readonly string[]): string {
  return names.map((name) => csvField(name)).join(',')
}

export function csvLine(names: readonly string[], row: Row): string {
  return names.map((name) => csvField(row[name])).join(',')
}

function csvField(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'number') return String(value)
  const text = value as string
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
