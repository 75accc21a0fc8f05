/**
 * The files for Prometheus and Grafana fit each other: a board that the provisioned Grafana can show, alerts that fire
 * when they should.
 *
 * Not its job: what the expressions say of a shop at work (`test/e2e/board.test.ts`).
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { termsOf } from '../support/promql.ts'
import {
  alertRules,
  board,
  BOARD_FILE,
  boardExpressions,
  comparedExpressions,
  type Panel,
  RULES_FILE,
} from '../support/watching.ts'
import { readCompose, ROOT } from './compose.ts'

const RULE_TESTS = join(ROOT, 'ops/prometheus/tests/millrace.yml')
/** Columns of Grafana's grid. */
const GRID_COLUMNS = 24

const panels = board.panels.filter(({ type }) => type !== 'row')

function read<T>(path: string): T {
  return parse(readFileSync(join(ROOT, path), 'utf8')) as T
}

/** What promtool says, or nothing where it is not installed and need not be. */
function promtool(...args: readonly string[]): string | undefined {
  const { error, status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
  // Where tests are to be complete, the tool has to be there.
  if (error !== undefined && process.env['CI'] !== 'true') return undefined
  expect(error).toBeUndefined()
  return status === 0 ? 'fine' : stdout + stderr
}

function cellsOf({ x, y, w, h }: Panel['gridPos']): string[] {
  return Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`)
}

describe('the board', () => {
  test('asks the data source that is provisioned', () => {
    const { datasources } = read<{ datasources: { uid: string; url: string }[] }>(
      'ops/grafana/provisioning/datasources/prometheus.yml',
    )
    const uids = new Set(datasources.map(({ uid }) => uid))
    const asked = [...panels.flatMap(({ targets = [] }) => targets), ...board.templating.list]
    for (const { datasource } of asked) expect(uids).toContain(datasource.uid)
    const { services } = readCompose('docker-compose.yml')
    for (const { url } of datasources) expect(services['prometheus']?.ports?.[0]).toContain(new URL(url).port)
  })

  test('lies where the provider looks for it, and is what Grafana opens with', () => {
    const { providers } = read<{ providers: { options: { path: string } }[] }>(
      'ops/grafana/provisioning/dashboards/millrace.yml',
    )
    const { volumes = [], environment = {} } = readCompose('docker-compose.yml').services['grafana'] ?? {}
    const mounted = volumes
      .map((volume) => volume.split(':'))
      .find(([source = '']) => {
        return join(ROOT, source) === dirname(BOARD_FILE)
      })
    expect(providers.map(({ options }) => options.path)).toEqual([mounted?.[1]])
    const home = environment['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH'] ?? ''
    expect(join(ROOT, 'ops/grafana/dashboards', home.slice(`${mounted?.[1]}/`.length))).toBe(BOARD_FILE)
  })

  test('has panels side by side, each with its own id, title and unit', () => {
    expect(new Set(board.panels.map(({ id }) => id)).size).toBe(board.panels.length)
    expect(new Set(board.panels.map(({ title }) => title)).size).toBe(board.panels.length)
    expect(panels.filter(({ fieldConfig }) => fieldConfig?.defaults.unit === undefined)).toEqual([])
    const taken = new Set<string>()
    const misplaced = board.panels.filter(({ gridPos }) => {
      const cells = cellsOf(gridPos)
      const free = cells.every((cell) => !taken.has(cell)) && gridPos.x + gridPos.w <= GRID_COLUMNS
      for (const cell of cells) taken.add(cell)
      return !free
    })
    expect(misplaced).toEqual([])
  })

  test('shows what a shop is judged by', () => {
    const shown = new Set(
      boardExpressions('1m').flatMap(({ expr }) => termsOf(expr).selections.map((one) => one.metric)),
    )
    expect([...shown]).toEqual(
      expect.arrayContaining([
        'millrace_coupon_decisions_total',
        'millrace_coupon_quota_remaining',
        'millrace_task_lag_seconds',
        'millrace_topology_commits_total',
        'millrace_topology_commit_duration_seconds_bucket',
        'millrace_ranking_watermark_age_seconds',
        'millrace_task_restore_remaining_records',
        'millrace_task_dead_letters_total',
        'millrace_connector_lag_records',
        'millrace_connector_breaker',
        'millrace_http_request_duration_seconds_bucket',
        'process_resident_memory_bytes',
      ]),
    )
  })

  test('leaves no variable unfilled', () => {
    expect(boardExpressions('1m').filter(({ expr }) => expr.includes('$'))).toEqual([])
  })
})

describe('the alerts', () => {
  test('each compare something with a number', () => {
    expect(comparedExpressions().map(({ where }) => where)).toEqual(alertRules.map(({ alert }) => alert))
  })

  test('are rules that Prometheus takes', ({ skip }) => {
    const said = promtool('check', 'rules', RULES_FILE) ?? skip('promtool is not installed')
    expect(said).toBe('fine')
  })

  test('fire when they should, and only then', ({ skip }) => {
    const said = promtool('test', 'rules', RULE_TESTS) ?? skip('promtool is not installed')
    expect(said).toBe('fine')
  })

  test('are each seen to fire, and to be silent while a shop works', () => {
    const { tests } = read<{ tests: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }[] }>(
      'ops/prometheus/tests/millrace.yml',
    )
    const cases = tests.flatMap((one) => one.alert_rule_test)
    const names = alertRules.map(({ alert }) => alert).toSorted()
    const seen = (fires: boolean): string[] => {
      const found = cases.filter(({ exp_alerts: alerts }) => alerts.length > 0 === fires)
      return [...new Set(found.map(({ alertname }) => alertname))].toSorted()
    }
    expect(seen(true)).toEqual(names)
    expect(seen(false)).toEqual(names)
  })
})

describe('the terms of an expression', () => {
  test('are its metrics with their matchers, and the labels that it groups by', () => {
    const expr =
      'sum by (le, topology) (rate(a_total{state!="failed",kind=~"x|y"}[5m])) / on (job) b or 2 * c:d > 0.5'
    expect(termsOf(expr)).toEqual({
      selections: [
        {
          metric: 'a_total',
          matchers: [
            { label: 'state', op: '!=', value: 'failed' },
            { label: 'kind', op: '=~', value: 'x|y' },
          ],
        },
        { metric: 'b', matchers: [] },
        { metric: 'c:d', matchers: [] },
      ],
      groupings: ['le', 'topology', 'job'],
    })
  })

  test('are not functions, words, durations or numbers', () => {
    const expr = 'histogram_quantile(0.99, rate(a[1h])) and b offset 5m unless absent(c) == 1e3'
    expect(termsOf(expr).selections.map(({ metric }) => metric)).toEqual(['a', 'b', 'c'])
  })
})
