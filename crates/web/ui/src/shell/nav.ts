// Where one can go, by what one may do.
import {
  Bell,
  Box,
  Calendar,
  Camera,
  DataLine,
  Files,
  Grid,
  Magic,
  MapLocation,
  MoreFilled,
  OfficeBuilding,
  Message,
  Odometer,
  Promotion,
  Switch,
  Tickets,
  Timer,
  TrendCharts,
  Upload,
  Key,
  Notebook,
  User,
  VideoCamera,
} from './icons'
import { computed, type Component } from 'vue'
import type { TextKey } from '@/i18n'
import { may, session, type Power } from '@/state'

export interface Place {
  name: string
  title: TextKey
  icon: Component
  power?: Power
  group: 'watch' | 'manage'
}

const PLACES: readonly Place[] = [
  { name: 'overview', title: 'nav.overview', icon: Odometer, power: 'watch', group: 'watch' },
  { name: 'wall', title: 'nav.wall', icon: Grid, power: 'watch', group: 'watch' },
  { name: 'incidents', title: 'nav.incidents', icon: Bell, power: 'incidents', group: 'watch' },
  { name: 'orders', title: 'nav.orders', icon: Tickets, power: 'watch', group: 'watch' },
  { name: 'sites', title: 'nav.sites', icon: OfficeBuilding, power: 'watch', group: 'watch' },
  { name: 'map', title: 'nav.map', icon: MapLocation, power: 'watch', group: 'watch' },
  { name: 'live', title: 'nav.live', icon: VideoCamera, power: 'live', group: 'watch' },
  { name: 'snapshots', title: 'nav.snapshots', icon: Camera, power: 'snapshots', group: 'watch' },
  { name: 'exports', title: 'nav.exports', icon: Box, power: 'export', group: 'watch' },
  { name: 'windows', title: 'nav.windows', icon: Calendar, power: 'watch', group: 'watch' },
  { name: 'handovers', title: 'nav.handovers', icon: Switch, power: 'handovers', group: 'watch' },
  { name: 'reports', title: 'nav.reports', icon: TrendCharts, power: 'watch', group: 'watch' },
  { name: 'register', title: 'nav.register', icon: Notebook, power: 'import', group: 'manage' },
  { name: 'import', title: 'nav.import', icon: Upload, power: 'import', group: 'manage' },
  { name: 'users', title: 'nav.users', icon: User, power: 'users', group: 'manage' },
  { name: 'channels', title: 'nav.channels', icon: Message, power: 'channels', group: 'manage' },
  { name: 'mailings', title: 'nav.mailings', icon: Promotion, power: 'channels', group: 'manage' },
  { name: 'tokens', title: 'nav.tokens', icon: Key, power: 'users', group: 'manage' },
  { name: 'audit', title: 'nav.audit', icon: Files, power: 'audit', group: 'manage' },
  { name: 'retention', title: 'nav.retention', icon: Timer, power: 'retention', group: 'manage' },
  { name: 'self', title: 'nav.self', icon: DataLine, power: 'self', group: 'manage' },
  { name: 'demo', title: 'nav.demo', icon: Magic, power: 'demo', group: 'manage' },
]

export const places = computed(() => PLACES.filter((place) => !place.power || may(place.power)))
/** What a telephone shows at its foot: for a technician his orders first. */
const FOOT: Record<'technician' | 'security' | 'other', readonly string[]> = {
  security: ['users', 'tokens'],
  technician: ['orders', 'incidents', 'sites', 'wall'],
  other: ['overview', 'wall', 'incidents', 'orders'],
}
const foot = computed(() => {
  const role = session.value?.user.role
  return role === 'technician' || role === 'security' ? role : 'other'
})
export const bottomPlaces = computed<Place[]>(() => [
  ...FOOT[foot.value].flatMap((name) => places.value.filter((place) => place.name === name)),
  { name: 'more', title: 'nav.more', icon: MoreFilled, group: 'watch' },
])
