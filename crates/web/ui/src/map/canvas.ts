// The map itself: MapLibre with a plain ground of our own, nothing fetched from anywhere. Clusters take the colour and
// the sign of their worst camera.
import { addProtocol, AttributionControl, Map as Chart, NavigationControl, ScaleControl, setWorkerUrl, type GeoJSONSource, type RasterSourceSpecification, type VectorSourceSpecification } from 'maplibre-gl'
import worker from 'maplibre-gl/dist/maplibre-gl-worker.mjs?url'
import 'maplibre-gl/dist/maplibre-gl.css'
import { Protocol } from 'pmtiles'
import { MAP_TILES } from '@/api/client'
import type { Ground } from '@/api/types'
import { groundLayers } from './ground'
import { box, collection, ofRank, rank, type Point } from './points'

setWorkerUrl(worker)
addProtocol('pmtiles', new Protocol().tile)

/** Places of the ground's tiles, of a vector one also what is in it. */
function groundSource(ground: Ground): VectorSourceSpecification | RasterSourceSpecification {
  const url = `pmtiles://${location.origin}${MAP_TILES}`
  const attribution = ground.attribution.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`)
  return ground.kind === 'vector' ? { type: 'vector', url, attribution } : { type: 'raster', url, tileSize: 256, attribution }
}

/** Signs beside the colours, for those who do not see them. */
const SIGNS = { offline: '✕', impaired: '!', unknown: '?', paused: '‖', online: '' } as const

export interface Told {
  moved: (bounds: [number, number, number, number]) => void
  chosen: (camera: number) => void
}

/** Whether this browser can draw a map at all. */
export function drawable(): boolean {
  try {
    return document.createElement('canvas').getContext('webgl2') !== null
  } catch {
    return false
  }
}

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** A mark: `mark:RANK:COUNT`, COUNT 1 for a single camera. */
function draw(id: string): ImageData | null {
  const [, worst, count] = /^mark:(\d+):(\d+)$/.exec(id) ?? []
  if (!worst || !count) return null
  const status = ofRank(Number(worst))
  const many = Number(count) > 1
  const size = many ? 44 + 6 * Math.min(3, count.length - 1) : 30
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size * 2
  const pen = canvas.getContext('2d')
  if (!pen) return null
  pen.scale(2, 2)
  pen.beginPath()
  pen.arc(size / 2, size / 2, size / 2 - 3, 0, 2 * Math.PI)
  pen.fillStyle = colour(`--${status}`)
  pen.fill()
  pen.lineWidth = 2.5
  pen.strokeStyle = colour('--panel')
  pen.stroke()
  pen.fillStyle = colour('--panel')
  pen.textAlign = 'center'
  pen.textBaseline = 'middle'
  const sign = SIGNS[status]
  if (many) {
    pen.font = 'bold 14px sans-serif'
    pen.fillText(count, size / 2, size / 2 + (sign ? -4 : 1))
    pen.font = 'bold 11px sans-serif'
    if (sign) pen.fillText(sign, size / 2, size / 2 + 10)
  } else {
    pen.font = 'bold 15px sans-serif'
    pen.fillText(sign, size / 2, size / 2 + 1)
  }
  return pen.getImageData(0, 0, size * 2, size * 2)
}

export class CameraMap {
  private readonly chart: Chart
  private shown = ''

  constructor(place: HTMLElement, points: readonly Point[], start: { centre: [number, number]; zoom: number } | null, told: Told, label: string, private readonly ground: Ground | null) {
    const all = box(points)
    this.chart = new Chart({
      container: place,
      style: {
        version: 8,
        sources: {
          ...(ground ? { ground: groundSource(ground) } : {}),
          cameras: {
            type: 'geojson',
            data: collection(points),
            cluster: true,
            clusterRadius: 46,
            clusterMaxZoom: 16,
            clusterProperties: { rank: ['max', ['get', 'rank']] },
          },
        },
        layers: [
          { id: 'ground', type: 'background', paint: { 'background-color': colour('--panel-2') } },
          ...(ground ? groundLayers(ground.kind, colour) : []),
          {
            id: 'marks',
            type: 'symbol',
            source: 'cameras',
            layout: {
              'icon-image': ['concat', 'mark:', ['to-string', ['get', 'rank']], ':', ['to-string', ['coalesce', ['get', 'point_count'], 1]]],
              'icon-allow-overlap': true,
              'symbol-sort-key': ['get', 'rank'],
            },
          },
        ],
      },
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      maxZoom: 19,
      ...(start ? { center: start.centre, zoom: start.zoom } : all ? { bounds: all, fitBoundsOptions: { padding: 40, maxZoom: 15 } } : { center: [104, 35], zoom: 3 }),
    })
    this.chart.getCanvas().setAttribute('aria-label', label)
    this.chart.touchZoomRotate.disableRotation()
    this.chart.addControl(new NavigationControl({ showCompass: false }))
    this.chart.addControl(new ScaleControl({ unit: 'metric' }))
    if (ground) this.chart.addControl(new AttributionControl({ compact: false }))
    // Tiles that do not come leave the plain ground; the marks stay.
    this.chart.on('error', () => {})
    this.chart.setMissingStyleImageResolver((id) => {
      const image = draw(id)
      if (image && !this.chart.hasImage(id)) this.chart.addImage(id, image, { pixelRatio: 2 })
    })
    const tell = () => {
      const bounds = this.chart.getBounds()
      told.moved([bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()])
    }
    this.chart.on('moveend', tell)
    this.chart.on('load', tell)
    this.chart.on('click', 'marks', (event) => {
      const found = event.features?.[0]
      if (!found) return
      const { cluster_id: cluster, id } = found.properties as { cluster_id?: number; id?: number }
      if (cluster === undefined) {
        if (id !== undefined) told.chosen(id)
        return
      }
      const source = this.chart.getSource<GeoJSONSource>('cameras')
      void source?.getClusterExpansionZoom(cluster).then((zoom) => this.chart.easeTo({ center: event.lngLat, zoom: zoom + 0.2 }))
    })
    this.chart.on('mouseenter', 'marks', () => (this.chart.getCanvas().style.cursor = 'pointer'))
    this.chart.on('mouseleave', 'marks', () => (this.chart.getCanvas().style.cursor = ''))
  }

  /** Shows what has become of the cameras. */
  update(points: readonly Point[]): void {
    const state = points.map((point) => `${point.id}${rank(point.status)}`).join()
    if (state === this.shown) return
    this.shown = state
    const source = this.chart.getSource<GeoJSONSource>('cameras')
    if (source) void source.setData(collection(points))
  }

  /** Where one is, for the address. */
  where(): { centre: [number, number]; zoom: number } {
    const { lng, lat } = this.chart.getCenter()
    return { centre: [lng, lat], zoom: this.chart.getZoom() }
  }

  goTo(longitude: number, latitude: number): void {
    this.chart.easeTo({ center: [longitude, latitude], zoom: Math.max(16.5, this.chart.getZoom()) })
  }

  /** The colours of the page have changed. */
  repaint(): void {
    for (const id of this.chart.listImages()) this.chart.removeImage(id)
    this.chart.setPaintProperty('ground', 'background-color', colour('--panel-2'))
    for (const layer of this.ground ? groundLayers(this.ground.kind, colour) : []) {
      for (const [name, value] of Object.entries(layer.paint ?? {})) this.chart.setPaintProperty(layer.id, name as 'background-color', value as string)
    }
    this.chart.triggerRepaint()
  }

  remove(): void {
    this.chart.remove()
  }
}
