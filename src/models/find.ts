import { distance } from 'fastest-levenshtein'
import { UsageError } from '../errors.ts'
import type { ManifestEntry } from './manifest.ts'
import { addedNames, knownModels } from './registry.ts'

/** @throws UsageError with the nearest names if no model is called so */
export const findModel = async (name: string): Promise<ManifestEntry> => {
  const models = await knownModels()
  const found = models.find((model) => model.name === name)
  if (found) return found
  const names = [...models.map((model) => model.name), ...(await addedNames())]
  throw new UsageError(`Expected the name of a model or a folder with a model.json, got "${name}"`, {
    remedy: `Did you mean ${nearest(name, names).join(' or ')}? See: vidgrep models list`,
  })
}

const nearest = (name: string, names: readonly string[]): string[] => {
  const ranked = names.map((known) => ({ known, far: distance(name.toLowerCase(), known) }))
  const closest = Math.min(...ranked.map(({ far }) => far))
  return ranked.filter(({ far }) => far <= closest + 1).map(({ known }) => known)
}
