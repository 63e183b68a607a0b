import { type Collection, ModelMismatchError, type OpenStore, SchemaTooNewError, schemaVersion } from './store.ts'

/**
 * Makes sure that this program may use a collection, and that it is one of the model that is wanted, if one is.
 * @throws SchemaTooNewError, ModelMismatchError
 */
export const expectBelonging = (found: Collection, wanted: OpenStore['create']): void => {
  if (found.schemaVersion > schemaVersion) throw new SchemaTooNewError(found)
  if (wanted && (wanted.model !== found.model || wanted.dimension !== found.dimension)) {
    throw new ModelMismatchError(found, wanted)
  }
}
