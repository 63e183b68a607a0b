import { decodeHTML } from 'entities/decode'

/*
 * What OpenAI's CLIP does to a text before it is split into tokens: ftfy's repairs, HTML entities resolved twice, white
 * space collapsed. Of ftfy all is here but its guess at text that was decoded with the wrong character set.
 * Sources: https://github.com/openai/CLIP/blob/main/clip/simple_tokenizer.py (basic_clean, whitespace_clean),
 * https://github.com/rspeer/python-ftfy/blob/main/ftfy/fixes.py
 */

/** @returns the text as CLIP's tokenizer wants it, still in upper and lower case */
export const cleanForClip = (text: string): string =>
  decodeHTML(decodeHTML(repair(text)))
    .replace(pythonSpace, ' ')
    .trim()

const repair = (text: string): string =>
  (text.includes('<') ? text : decodeHTML(text))
    .replace(loneSurrogate, '\ufffd')
    .replace(terminalEscape, '')
    .replace(ligature, (character) => character.normalize('NFKC'))
    .replace(fullOrHalfWidth, (character) => character.normalize('NFKC'))
    .replace(singleQuote, "'")
    .replace(doubleQuote, '"')
    .normalize('NFC')
    .replace(control, '')

/** What `\s` means in Python, less the separators that are already gone: the character 85 too, but not the mark FEFF. */
const pythonSpace = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const terminalEscape = /\x1b\[[\d;]*[a-zA-Z]/g

const loneSurrogate = /\p{Surrogate}/gu

const ligature = /[\u0132\u0133\u0149\u01c4-\u01cc\u01f1-\u01f3\ufb00-\ufb06]/g

const fullOrHalfWidth = /[\u3000\uff01-\uffef]/g

const singleQuote = /[\u02bc\u2018-\u201b]/g

const doubleQuote = /[\u201c-\u201f]/g

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const control = /[\x00-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g
