import { expect, test } from 'vitest'
import { table } from '../../bench/table.ts'

test('columns are headed by the words of their keys, figures stand to the right with three digits', () => {
  const rows = [
    { way: 'slow', videoSecondsASecond: 7.8391, peakMB: 434.2, recallAt5: 100 },
    { way: 'a fast one', videoSecondsASecond: 129.96, peakMB: null, recallAt5: 0.12345 },
  ]
  expect(table(rows)).toBe(
    [
      '| way        | video seconds a second | peak MB | recall at 5 |',
      '| ---------- | ---------------------: | ------: | ----------: |',
      '| slow       |                   7.84 |     434 |         100 |',
      '| a fast one |                    130 |       – |       0.123 |',
    ].join('\n'),
  )
})

test('a row without a column that another row has leaves it empty', () => {
  expect(table([{ way: 'a' }, { way: 'b', points: 12345 }])).toContain('| a   |      – |\n| b   | 12,345 |')
})
