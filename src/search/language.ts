import type { Model } from '../models/model.ts'
import { parseQuery, type Query } from './query.ts'

/**
 * The language of a query that a model does not know: by its script, and in Latin letters by the small words that only
 * this language has. In doubt there is none: names and loan words are left alone.
 *
 * @param given ISO 639-1 code, instead of the guess
 * @returns ISO 639-1 code; `undefined` where the model knows the language, or nobody says which ones it knows
 */
export const foreignLanguage = (query: Query, model: Pick<Model, 'languages'>, given?: string): string | undefined => {
  const { languages } = model
  if (languages === undefined || languages.includes('multilingual')) return undefined
  const text = typeof query === 'string' ? query : (query.text ?? '')
  if (text.trim() === '') return undefined
  const language = given?.toLowerCase() ?? guessLanguage(parseQuery(text).flatMap(wordsOf))
  return language === undefined || languages.includes(language) ? undefined : language
}

const wordsOf = ({ wanted, unwanted }: ReturnType<typeof parseQuery>[number]): readonly string[] =>
  [...wanted, ...unwanted].flatMap(
    ({ text }) =>
      text
        .toLowerCase()
        .normalize('NFC')
        .match(/[\p{L}\p{M}]+/gu) ?? [],
  )

/** "German" */
export const languageName = (code: string): string => {
  try {
    return new Intl.DisplayNames(['en'], { type: 'language' }).of(code) ?? code
  } catch {
    return code
  }
}

/** Share of the letters that must be of a script; one Cyrillic word in English text is a name. */
const mostOfIt = 0.5

/** More than one language is written in most of them: the hint names the one with the most speakers. */
const scripts: readonly (readonly [RegExp, string])[] = [
  [/[\p{Script=Hiragana}\p{Script=Katakana}]/u, 'ja'],
  [/\p{Script=Hangul}/u, 'ko'],
  [/\p{Script=Han}/u, 'zh'],
  [/\p{Script=Cyrillic}/u, 'ru'],
  [/\p{Script=Arabic}/u, 'ar'],
  [/\p{Script=Hebrew}/u, 'he'],
  [/\p{Script=Greek}/u, 'el'],
  [/\p{Script=Devanagari}/u, 'hi'],
  [/\p{Script=Bengali}/u, 'bn'],
  [/\p{Script=Tamil}/u, 'ta'],
  [/\p{Script=Telugu}/u, 'te'],
  [/\p{Script=Thai}/u, 'th'],
  [/\p{Script=Georgian}/u, 'ka'],
  [/\p{Script=Armenian}/u, 'hy'],
]

/** Articles, prepositions and the like that are no English words; each counts for the languages that have it. */
const smallWords: Readonly<Record<string, string>> = {
  de: 'ein eine einen einem einer der das dem den des und mit auf im am zum zur über unter neben vor hinter ist sind für von aus bei nicht ohne',
  fr: 'un une le la les des du de et avec dans sur sous devant derrière est sont qui au aux sans près pour dans l d',
  es: 'un una unos unas el la los las del de y con en sobre bajo delante detrás es son que al sin por para junto',
  pt: 'um uma uns umas o os as do da dos das de e com em no na nos nas sobre sob é são que ao à sem por para',
  it: 'un uno una il lo la gli le del della dei delle di e con nel nella sul sulla è sono che al alla senza per',
  nl: 'een het de en met op onder voor achter naast van aan is zijn die dat zonder bij naar uit',
  sv: 'en ett och med på under framför bakom är som av till utan vid från',
  pl: 'i z w na pod przed za jest są który która do bez przy od się',
  tr: 've ile bir bu altında üstünde önünde için olan var',
  id: 'seorang sebuah dan dengan di yang atas bawah depan pada tanpa dari ke',
  vi: 'một và với trên dưới trước là của người cái con không trong',
}

const wordLists = Object.entries(smallWords).map(([code, words]) => [code, new Set(words.split(' '))] as const)

/** Words of the lists that stand in English text as well, in itself or in names: they prove nothing alone, nor do plain letters. */
const weak = new Set(
  'a am an as at auf bez bir con da dan das de del dem den der des di die do dos el em en ett for gli het i il im in is la las le les lo los met na o od om on op os par per po pod por pro que sans se sin som son sous sur un una und uma uno van ve von z zum'.split(
    ' ',
  ),
)

/** What only English has: with one of these it is no other language, whatever names are in it. */
const english = new Set('the of and with an at his her their from by to his near behind under while'.split(' '))

/** So many different words of the lists prove something together, though each of them may be a name's. */
const enoughWeak = 3

/** Of the words so many must be small ones of the language. */
const leastShare = 0.2

const guessLanguage = (words: readonly string[]): string | undefined => {
  const letters = words.join('')
  for (const [script, code] of scripts) {
    const written = [...letters].filter((letter) => script.test(letter)).length
    // A Japanese text is mostly Chinese characters.
    if (written > (code === 'ja' ? 0 : mostOfIt * letters.length)) return code
  }
  if (words.some((word) => english.has(word))) return undefined
  const [best] = wordLists
    .map(([code, list]) => {
      const known = words.filter((word) => list.has(word))
      return { code, known, strong: known.filter((word) => !weak.has(word) && !/^[a-z]$/.test(word)).length }
    })
    .sort((a, b) => b.known.length + b.strong - a.known.length - a.strong)
  const isPlain = best && (best.strong > 0 || new Set(best.known).size >= enoughWeak)
  return best && isPlain && best.known.length >= leastShare * words.length ? best.code : undefined
}
