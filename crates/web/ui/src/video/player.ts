// Plays the live view of one camera: messages of the service in, a <video> (or pictures) out. What the browser has
// not taken in is not acknowledged, so a slow browser is sent keyframes instead of the past.
import { chase, pause, shownLongAgo } from './chase'

export type Phase =
  /** The connection is being made. */
  | 'connecting'
  /** The stream runs; the next keyframe is awaited. */
  | 'waiting'
  | 'playing'
  /** Pictures of keyframes, because the browser cannot play the coding. */
  | 'pictures'
  /** The camera delivers no stream now. */
  | 'noStream'
  /** The connection broke; tried again by itself. */
  | 'lost'
  /** The service refuses; `problem` says why. Tried again by itself. */
  | 'refused'
  /** The browser can play nothing of this. */
  | 'unplayable'
  /** Signed out, or the camera left the scope. */
  | 'ended'

export interface View {
  phase: Phase
  /** Frames are left out, and why. */
  skipped: 'loss' | 'slow' | null
  cause: string | null
  codec: string
  /** Address of the newest picture, in the phase `pictures`. */
  picture: string
  problem: unknown
}

export const START: View = { phase: 'connecting', skipped: null, cause: null, codec: '', picture: '', problem: null }

/** The service ended it because the session ended. */
const CLOSE_REVOKED = 4401
const HEVC = 'video/mp4; codecs="hvc1.1.6.L93.B0"'

// iPhones offer only the managed kind.
const Source = (): typeof MediaSource | undefined =>
  (globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource ?? globalThis.MediaSource

interface Said {
  state: 'stream' | 'pictures' | 'waiting' | 'skipped' | 'no_stream'
  mime?: string
  codec?: string
  why?: 'loss' | 'slow'
  cause?: string | null
}

export class Player {
  private view: View = { ...START }
  private socket: WebSocket | null = null
  private timer: ReturnType<typeof setTimeout> | undefined
  private failures = 0
  private stopped = false
  private got = 0
  private media: MediaSource | null = null
  private address = ''
  private buffer: SourceBuffer | null = null
  /** Segments the browser has not been given yet. */
  private line: Uint8Array<ArrayBuffer>[] = []
  /** Segments of the append that is under way. */
  private under = 0

  constructor(
    private readonly camera: number,
    private readonly video: HTMLVideoElement,
    private readonly show: (view: View) => void,
    /** Why the service refuses; null if it does not. */
    private readonly ask: (camera: number) => Promise<unknown>,
  ) {
    video.muted = true
    video.playsInline = true
    video.disableRemotePlayback = true
    video.addEventListener('loadeddata', this.firstFrame)
    video.addEventListener('error', this.broken)
    this.connect()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    this.video.removeEventListener('loadeddata', this.firstFrame)
    this.video.removeEventListener('error', this.broken)
    this.socket?.close()
    this.socket = null
    this.closeMedia()
    if (this.view.picture) URL.revokeObjectURL(this.view.picture)
  }

  private set(change: Partial<View>): void {
    if (this.stopped) return
    this.view = { ...this.view, ...change }
    this.show(this.view)
  }

  // ---- the connection ----

  private connect(): void {
    const supported = Source()
    if (!supported) {
      this.set({ phase: 'unplayable' })
      return
    }
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    const query = supported.isTypeSupported(HEVC) ? '?h265=true' : ''
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/cameras/${this.camera}/live${query}`)
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    this.got = 0
    let opened = false
    socket.onopen = () => {
      opened = true
    }
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      this.failures = 0
      if (typeof event.data === 'string') this.hear(JSON.parse(event.data) as Said)
      else this.take(new Uint8Array(event.data))
    }
    socket.onclose = (event) => {
      if (this.socket !== socket || this.stopped) return
      this.socket = null
      if (event.code === CLOSE_REVOKED) {
        this.closeMedia()
        this.set({ phase: 'ended', skipped: null })
        return
      }
      void this.again(opened)
    }
  }

  private async again(opened: boolean): Promise<void> {
    this.set({ phase: 'lost', skipped: null })
    // A browser does not tell why a WebSocket was refused; the same address by plain HTTP does.
    const problem = opened ? null : await this.ask(this.camera)
    if (this.stopped) return
    if (problem) this.set({ phase: 'refused', problem })
    this.timer = setTimeout(() => this.connect(), pause(this.failures, Math.random()))
    this.failures += 1
  }

  private hear(said: Said): void {
    switch (said.state) {
      case 'stream':
        this.open(said.mime ?? '')
        break
      case 'pictures':
        this.closeMedia()
        this.set({ phase: 'pictures', codec: said.codec ?? '', skipped: null })
        break
      case 'waiting':
        this.set({ phase: 'waiting', skipped: null })
        break
      case 'skipped':
        this.set({ skipped: said.why ?? null })
        break
      case 'no_stream':
        this.closeMedia()
        this.set({ phase: 'noStream', cause: said.cause ?? null, skipped: null })
    }
  }

  private take(message: Uint8Array<ArrayBuffer>): void {
    const content = message.subarray(1)
    if (message[0] === 2) {
      const before = this.view.picture
      this.set({ phase: 'pictures', picture: URL.createObjectURL(new Blob([content], { type: 'image/jpeg' })) })
      if (before) URL.revokeObjectURL(before)
      this.acknowledge(1)
      return
    }
    this.line.push(content)
    this.append()
  }

  private acknowledge(count: number): void {
    this.got += count
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ got: this.got }))
  }

  // ---- the video ----

  private open(mime: string): void {
    this.closeMedia()
    const Kind = Source()
    if (!Kind?.isTypeSupported(mime)) {
      this.set({ phase: 'unplayable', codec: mime })
      this.socket?.close()
      this.socket = null
      return
    }
    const media = new Kind()
    this.media = media
    this.address = URL.createObjectURL(media)
    this.video.src = this.address
    media.addEventListener(
      'sourceopen',
      () => {
        if (this.media !== media) return
        this.buffer = media.addSourceBuffer(mime)
        this.buffer.addEventListener('updateend', this.appended)
        this.append()
      },
      { once: true },
    )
  }

  private closeMedia(): void {
    this.buffer?.removeEventListener('updateend', this.appended)
    this.buffer = null
    this.media = null
    // What is thrown away is dealt with, too.
    if (this.line.length + this.under > 0) this.acknowledge(this.line.length + this.under)
    this.line = []
    this.under = 0
    if (this.address) {
      URL.revokeObjectURL(this.address)
      this.address = ''
      this.video.removeAttribute('src')
      this.video.load()
    }
  }

  private append(): void {
    if (!this.buffer || this.buffer.updating || this.line.length === 0) return
    const all = this.line
    this.line = []
    const bytes = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of all) {
      bytes.set(part, at)
      at += part.length
    }
    this.under = all.length
    try {
      this.buffer.appendBuffer(bytes)
    } catch {
      this.broken()
    }
  }

  private readonly appended = (): void => {
    const buffer = this.buffer
    if (!buffer) return
    if (this.under > 0) {
      this.acknowledge(this.under)
      this.under = 0
      if (this.view.skipped) this.set({ skipped: null })
    }
    if (this.follow(buffer)) return
    this.append()
  }

  /** Keeps the picture close behind the newest frame; true if old frames are being removed. */
  private follow(buffer: SourceBuffer): boolean {
    const { buffered } = buffer
    if (buffered.length === 0) return false
    const newest = { start: buffered.start(buffered.length - 1), end: buffered.end(buffered.length - 1) }
    const step = chase(this.video.currentTime, newest)
    if ('seek' in step) this.video.currentTime = step.seek
    else if (this.video.playbackRate !== step.rate) this.video.playbackRate = step.rate
    // Refused only where a page may not play by itself; muted video may.
    if (this.video.paused) this.video.play().catch(() => undefined)
    const old = shownLongAgo(this.video.currentTime, buffered.start(0))
    if (old === null) return false
    buffer.remove(0, old)
    return true
  }

  private readonly firstFrame = (): void => {
    if (this.media) this.set({ phase: 'playing' })
  }

  /** The browser gave the video up: from the beginning. */
  private readonly broken = (): void => {
    if (!this.media || this.stopped) return
    this.closeMedia()
    const { socket } = this
    this.socket = null
    socket?.close()
    void this.again(true)
  }
}
