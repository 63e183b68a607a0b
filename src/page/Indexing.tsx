import { useEffect, useState } from 'preact/hooks'
import { ApiError, type Folders, foldersIn, startIndexing, stopIndexing } from './api.ts'
import { Dialog } from './Dialogs.tsx'
import { clock, nameOf, plural } from './format.ts'
import { Icon } from './Icon.tsx'
import { health, indexing, isGrowing, isServerAway } from './live.ts'
import { isIndexingOpen } from './panels.ts'
import { search } from './state.ts'

/** What goes on, in one line above the page; nothing where nothing does. */
export const Status = () => {
  const state = indexing.value
  if (isServerAway.value)
    return <p class="status-line bad">The server does not answer. The page goes on as soon as it does.</p>
  if (health.value?.status === 'store-away')
    return <p class="status-line bad">The store does not answer. The page goes on as soon as it does.</p>
  if (state?.isRunning) {
    const { current, done, videos } = state
    const share = current?.durationSeconds ? Math.min(1, current.atSeconds / current.durationSeconds) : 0
    return (
      <div class="status-line" role="status">
        <progress aria-label="Videos indexed" max={Math.max(1, videos)} value={done + share} />
        <span>
          Indexing {videos > 0 ? `${Math.min(done + 1, videos)} of ${videos}` : '…'}
          {current ? ` · ${nameOf(current.path)} ${clock(current.atSeconds)}` : ''}
        </span>
        <button type="button" onClick={() => void stopIndexing()}>
          Stop
        </button>
      </div>
    )
  }
  if (isGrowing.value) {
    return (
      <p class="status-line" role="status">
        Videos are being indexed: {plural(health.value?.videos ?? 0, 'video')} by now.
      </p>
    )
  }
  return null
}

/** Folders that the server may index, to be walked through and chosen. */
export const IndexDialog = () => (
  <Dialog title="Index videos" isOpen={isIndexingOpen.value}>
    <Browse />
  </Dialog>
)

const Browse = () => {
  const [listed, setListed] = useState<Folders | undefined>(undefined)
  const [path, setPath] = useState<readonly string[]>([])
  const [error, setError] = useState('')
  const here = path.at(-1)
  const fail = (reason: unknown) =>
    setError(reason instanceof ApiError ? `${reason.message}. ${reason.remedy}` : `${reason}`)
  useEffect(() => {
    setError('')
    foldersIn(here).then(setListed, fail)
  }, [here])
  const start = async () => {
    try {
      await startIndexing([here!], search.value.collection)
      isIndexingOpen.value = false
    } catch (reason) {
      fail(reason)
    }
  }
  if (listed && listed.path === null && listed.folders.length === 0) {
    return (
      <p>
        This server may index no folder. In a terminal: <code>vidgrep index FOLDER</code>, or start it with{' '}
        <code>vidgrep serve --allow FOLDER</code>.
      </p>
    )
  }
  return (
    <>
      <p class="path">{here ?? 'Choose a folder'}</p>
      <ul class="folders">
        {path.length > 0 ? (
          <li>
            <button type="button" class="quiet" onClick={() => setPath(path.slice(0, -1))}>
              <Icon name="up" /> up
            </button>
          </li>
        ) : null}
        {listed?.folders.map((folder) => (
          <li key={folder.path}>
            <button type="button" class="quiet" onClick={() => setPath([...path, folder.path])}>
              <Icon name="folder" /> {folder.name}
            </button>
          </li>
        ))}
      </ul>
      <div class="actions">
        <button
          type="button"
          class="main"
          disabled={here === undefined || indexing.value?.isRunning}
          onClick={() => void start()}
        >
          Index this folder
        </button>
      </div>
      {error === '' ? null : (
        <p class="aside" role="alert">
          {error}
        </p>
      )}
    </>
  )
}
