// How the tiles below the marks are drawn: quietly, so that the cameras stand out. Layers go by the names of the two
// common schemas (OpenMapTiles and Protomaps); what a file does not have is not drawn.
import type { ExpressionSpecification, LayerSpecification } from 'maplibre-gl'

const AREAS = ['landcover', 'landuse', 'natural', 'park', 'buildings', 'building'] as const
const WATER = ['water', 'waterway'] as const
const LINES = ['roads', 'transportation'] as const
const BORDERS = ['boundaries', 'boundary'] as const

/** Layers of a ground of this kind in the page's colours. */
export function groundLayers(kind: string, colour: (name: string) => string): LayerSpecification[] {
  if (kind !== 'vector') return [{ id: 'ground-tiles', type: 'raster', source: 'ground', paint: { 'raster-saturation': -0.4 } }]
  const of = (name: string) => ({ source: 'ground', 'source-layer': name })
  const polygons: ExpressionSpecification = ['==', ['geometry-type'], 'Polygon']
  return [
    ...AREAS.map((name): LayerSpecification => ({ id: `ground-${name}`, type: 'fill', ...of(name), filter: polygons, paint: { 'fill-color': colour('--line'), 'fill-opacity': 0.45 } })),
    ...WATER.flatMap((name): LayerSpecification[] => [
      { id: `ground-${name}`, type: 'fill', ...of(name), filter: polygons, paint: { 'fill-color': colour('--accent'), 'fill-opacity': 0.22 } },
      { id: `ground-${name}-line`, type: 'line', ...of(name), paint: { 'line-color': colour('--accent'), 'line-opacity': 0.35, 'line-width': 1 } },
    ]),
    ...LINES.map((name): LayerSpecification => ({
      id: `ground-${name}`,
      type: 'line',
      ...of(name),
      paint: { 'line-color': colour('--line-strong'), 'line-width': ['interpolate', ['linear'], ['zoom'], 8, 0.6, 16, 4] },
    })),
    ...BORDERS.map((name): LayerSpecification => ({ id: `ground-${name}`, type: 'line', ...of(name), paint: { 'line-color': colour('--faint'), 'line-dasharray': [3, 2], 'line-width': 1 } })),
  ]
}
