import { VidgrepError } from '../errors.ts'

/** The model is known, but its files are missing, damaged, described wrongly, or could not be had. */
export class ModelError extends VidgrepError {}
