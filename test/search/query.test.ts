import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { foreignLanguage } from '../../src/search/language.ts'
import { describeQuery, parseQuery, QueryError } from '../../src/search/query.ts'

const phrase = (text: string, weight = 1) => ({ text, weight })
const words = (text: string) => [{ wanted: [phrase(text)], unwanted: [] }]

describe('a query', () => {
  test.each([
    'a red car',
    'rock - roll',
    'a + b > c * 2',
    "the dog's bowl - blue",
    'x-ray',
    'a 12" + 15" monitor',
    'a sign that says "stop" here',
    'rock-"n"-roll',
    '-1 + 2',
  ])('without phrases in quotes is plain words: %s', (query) => {
    expect(parseQuery(query)).toEqual(words(query))
  })

  test('in one pair of quotes is plain words too', () => {
    expect(parseQuery(' "a dog + a beach" ')).toEqual(words('a dog + a beach'))
    expect(parseQuery('“a - b”')).toEqual(words('a - b'))
  })

  test('puts phrases together, apart and in order, with weights', () => {
    expect(parseQuery('"a dog" + "a beach"*2 - "people"')).toEqual([
      { wanted: [phrase('a dog'), phrase('a beach', 2)], unwanted: [phrase('people')] },
    ])
    expect(parseQuery('- "people" + "a beach"*.5')).toEqual([
      { wanted: [phrase('a beach', 0.5)], unwanted: [phrase('people')] },
    ])
    expect(parseQuery('“a man enters”>"he sits" + "a chair" > "he leaves"')).toEqual([
      ...words('a man enters'),
      { wanted: [phrase('he sits'), phrase('a chair')], unwanted: [] },
      ...words('he leaves'),
    ])
  })

  test.each([
    ['"a dog" dog + "a beach"', 8, 'Expected +, -, > or *, or the end, got dog'],
    ['a dog + "a beach"', 0, 'Expected a phrase in quotes, got a'],
    ['"a dog" + beach', 10, 'Expected a phrase in quotes, got beach'],
    ['"a dog" +', 9, 'Expected a phrase in quotes, got the end of the query'],
    ['"a dog" + "a beach', 10, 'Expected a closing quote after this one, got "a'],
    ['"a dog" + ""', 10, 'Expected words between the quotes, got ""'],
    ['"a dog"*99', 8, 'Expected a weight above 0 and at most 10, got 99'],
    ['"a dog"*x', 8, 'Expected a weight above 0 and at most 10, got x'],
    ['"a dog" > - "people"', 10, 'Expected something that is to be seen before what is not, got -'],
    ['"1"+"2"+"3"+"4"+"5"+"6"+"7"+"8"+"9"', 32, 'Expected at most 8 phrases, got "9"'],
  ])('that breaks the rules is refused at the word: %s', (query, at, message) => {
    const error = (() => {
      try {
        return parseQuery(query)
      } catch (error) {
        return error as QueryError
      }
    })() as QueryError
    expect(error).toBeInstanceOf(QueryError)
    expect(error.message).toBe(message)
    expect(error.at).toBe(at)
    expect(error.excerpt).toEqual([`  ${query}`, `  ${' '.repeat(at)}^`])
  })

  test('has its caret under the word also where characters are wide', () => {
    expect(() => parseQuery('"狗" 海滩')).toThrow(expect.objectContaining({ excerpt: ['  "狗" 海滩', '       ^'] }))
  })

  test('needs words', () => {
    expect(() => parseQuery('  ')).toThrow(UsageError)
    expect(() => parseQuery('""')).toThrow(UsageError)
  })

  test('is described in one line', () => {
    const like = [{ image: '/x/beach.jpg' }, { video: '/y/a.mp4', t: 12.5 }]
    expect(describeQuery({ text: 'at night', like, unlike: [{ image: new Uint8Array() }] })).toBe(
      'at night, like beach.jpg, a.mp4@12.5, unlike a picture',
    )
  })
})

describe('the language of a query', () => {
  const english = { languages: ['en'] }

  test.each([
    ['ru', 'красная машина'],
    ['zh', '海滩上的狗'],
    ['ja', '赤い車'],
    ['ko', '해변의 개'],
    ['ar', 'سيارة حمراء'],
    ['el', 'ένα κόκκινο αυτοκίνητο'],
    ['de', 'ein rotes Auto auf der Straße'],
    ['fr', 'un chien dans la rue'],
    ['es', 'una mujer con un perro'],
    ['pt', 'uma mulher com um cachorro'],
    ['it', 'una donna nella strada'],
    ['nl', 'een hond op het strand'],
    ['de', '"ein Hund" + "ein Strand"'],
  ])('is guessed where it plainly is one that the model does not know: %s', (code, query) => {
    expect(foreignLanguage(query, english)).toBe(code)
    expect(foreignLanguage(query, { languages: ['multilingual'] })).toBeUndefined()
    expect(foreignLanguage(query, { languages: ['en', code] })).toBeUndefined()
  })

  test('is not guessed for English words, whatever names are in them', async () => {
    const file = new URL('../../models/captions.txt', import.meta.url)
    const captions = (await readFile(file, 'utf8')).trim().split('\n')
    const names = [
      'la la land',
      'El Niño damage',
      'Rio de Janeiro',
      'Los Angeles skyline',
      'van Gogh painting',
      'café',
      'w 12345',
      'plan z',
    ]
    for (const query of [...captions, ...names])
      expect([query, foreignLanguage(query, english)]).toEqual([query, undefined])
  })

  test('can be given', () => {
    expect(foreignLanguage('hund', english, 'DE')).toBe('de')
    expect(foreignLanguage('ein rotes Auto', english, 'en')).toBeUndefined()
  })
})
