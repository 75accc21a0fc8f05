/** What is shipped for watching a shop: the board's panels and the alert rules. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

const OPS = join(import.meta.dirname, '../../ops')
export const BOARD_FILE = join(OPS, 'grafana/dashboards/millrace.json')
export const RULES_FILE = join(OPS, 'prometheus/rules/millrace.yml')

export interface Target {
  readonly refId: string
  readonly datasource: { readonly type: string; readonly uid: string }
  readonly expr: string
  readonly legendFormat: string
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: readonly Target[]
}

export interface Variable {
  readonly name: string
  readonly definition: string
  readonly allValue: string
  readonly datasource: { readonly uid: string }
}

export interface Board {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

export interface AlertRule {
  readonly alert: string
  readonly expr: string
}

/** An expression and where it stands, for messages. */
export interface Expression {
  readonly where: string
  readonly expr: string
  /** Labels that the series must have to be told apart. */
  readonly labels: readonly string[]
}

export const board = JSON.parse(readFileSync(BOARD_FILE, 'utf8')) as Board
export const alertRules = readRules()

/** Of the board, with its variables as they are at first: all processes, over this time. */
export function boardExpressions(range: string): Expression[] {
  return board.panels.flatMap(({ title, targets = [] }) => {
    return targets.map(({ refId, expr, legendFormat }) => {
      return {
        where: `${title} ${refId}`,
        expr: filledIn(expr, range),
        labels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label),
      }
    })
  })
}

/** What each alert compares with its number. A rule that ends in no comparison has no expression here. */
export function comparedExpressions(): Expression[] {
  return alertRules.flatMap(({ alert, expr }) => {
    const [, compared] = /^(.+) (?:==|>) [\d.]+$/s.exec(expr) ?? []
    return compared === undefined ? [] : [{ where: alert, expr: compared, labels: [] }]
  })
}

function filledIn(expr: string, range: string): string {
  let text = expr.replaceAll('$__rate_interval', range)
  for (const { name, allValue } of board.templating.list) text = text.replaceAll(`$${name}`, allValue)
  return text
}

function readRules(): readonly AlertRule[] {
  const { groups } = parse(readFileSync(RULES_FILE, 'utf8')) as {
    groups: readonly { rules: readonly AlertRule[] }[]
  }
  return groups.flatMap(({ rules }) => rules)
}
