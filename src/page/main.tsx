import { effect } from '@preact/signals'
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Help, Marks } from './Dialogs.tsx'
import { Grid } from './Grid.tsx'
import { Home, Message } from './Home.tsx'
import { IndexDialog, Status } from './Indexing.tsx'
import { handleKey } from './keys.ts'
import { listen } from './live.ts'
import { Player } from './Player.tsx'
import { composed, hasQuestion } from './query.ts'
import { SearchBar } from './SearchBar.tsx'
import { begin, failure, moments, playing, search, searchByPicture } from './state.ts'
import './base.css'
import './results.css'
import './player.css'

const App = () => {
  const isAsked = hasQuestion(search.value)
  const bar = useRef<HTMLInputElement>(null)
  const isOver = usePictures()
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => handleKey(event, bar.current)
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [])
  return (
    <>
      <SearchBar input={bar} />
      <Status />
      <main class={playing.value ? 'split' : ''}>
        <section class="results" aria-label={isAsked ? 'Moments found' : 'Videos'}>
          {failure.value ? <Message failure={failure.value} /> : null}
          {isAsked ? moments.value.length > 0 || !failure.value ? <Grid /> : null : <Home />}
        </section>
        {playing.value ? <Player moment={playing.value} /> : null}
      </main>
      <Marks />
      <Help />
      <IndexDialog />
      {isOver ? <div class="drop">Drop the picture to find what looks like it</div> : null}
    </>
  )
}

/** Takes pictures that are dropped anywhere or pasted. @returns whether one is held over the page */
const usePictures = (): boolean => {
  const [isOver, setOver] = useState(false)
  useEffect(() => {
    const take = (files: DataTransfer | null): boolean => {
      const picture = [...(files?.files ?? [])].find(({ type }) => type.startsWith('image/'))
      if (picture) void searchByPicture(picture)
      return picture !== undefined
    }
    const onPaste = ({ clipboardData }: ClipboardEvent) => void take(clipboardData)
    const onDrag = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      setOver(true)
    }
    const onLeave = ({ relatedTarget }: DragEvent) => relatedTarget === null && setOver(false)
    const onDrop = (event: DragEvent) => {
      event.preventDefault()
      setOver(false)
      take(event.dataTransfer)
    }
    window.addEventListener('paste', onPaste)
    window.addEventListener('dragover', onDrag)
    window.addEventListener('dragleave', onLeave)
    window.addEventListener('drop', onDrop)
    return () => {
      window.removeEventListener('paste', onPaste)
      window.removeEventListener('dragover', onDrag)
      window.removeEventListener('dragleave', onLeave)
      window.removeEventListener('drop', onDrop)
    }
  }, [])
  return isOver
}

effect(() => {
  const asked = composed(search.value).trim()
  document.title = asked === '' ? 'vidgrep' : `${asked} – vidgrep`
})
begin()
listen()
render(<App />, document.getElementById('app')!)
