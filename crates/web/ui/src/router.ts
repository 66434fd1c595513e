// Every page and what its address means. Pages load when first opened.
import { createRouter, createWebHistory, type RouteLocationNormalized, type RouteRecordRaw } from 'vue-router'
import { Problem } from '@/api/http'
import type { TextKey } from '@/i18n'
import { shallowRef } from 'vue'
import { may, meetService, session, startBoard, whenLeft, type Power } from '@/state'

declare module 'vue-router' {
  interface RouteMeta {
    title: TextKey
    /** Needed to see it; without one anybody signed in may. */
    power?: Power
    /** Shown without the frame, to anybody. */
    open?: boolean
  }
}

const routes: RouteRecordRaw[] = [
  { path: '/sign-in', name: 'sign-in', component: () => import('@/pages/SignIn.vue'), meta: { title: 'signIn.title', open: true } },
  { path: '/password', name: 'password', component: () => import('@/pages/Password.vue'), meta: { title: 'password.title', open: true } },
  { path: '/', name: 'overview', component: () => import('@/pages/Overview.vue'), meta: { title: 'nav.overview', power: 'watch' } },
  { path: '/wall', name: 'wall', component: () => import('@/pages/Wall.vue'), meta: { title: 'nav.wall', power: 'watch' } },
  { path: '/sites/:id(\\d+)?', name: 'sites', component: () => import('@/pages/Sites.vue'), meta: { title: 'nav.sites', power: 'watch' } },
  { path: '/map', name: 'map', component: () => import('@/pages/Map.vue'), meta: { title: 'nav.map', power: 'watch' } },
  { path: '/live', name: 'live', component: () => import('@/pages/Live.vue'), meta: { title: 'nav.live', power: 'live' } },
  { path: '/cameras/:id(\\d+)', name: 'camera', component: () => import('@/pages/Camera.vue'), meta: { title: 'nav.camera', power: 'watch' } },
  { path: '/incidents/:id(\\d+)?', name: 'incidents', component: () => import('@/pages/Incidents.vue'), meta: { title: 'nav.incidents', power: 'incidents' } },
  { path: '/orders/:id(\\d+)?', name: 'orders', component: () => import('@/pages/Orders.vue'), meta: { title: 'nav.orders', power: 'watch' } },
  { path: '/windows', name: 'windows', component: () => import('@/pages/Windows.vue'), meta: { title: 'nav.windows', power: 'watch' } },
  { path: '/handovers/:id(\\d+)?', name: 'handovers', component: () => import('@/pages/Handovers.vue'), meta: { title: 'nav.handovers', power: 'handovers' } },
  { path: '/snapshots', name: 'snapshots', component: () => import('@/pages/Snapshots.vue'), meta: { title: 'nav.snapshots', power: 'snapshots' } },
  { path: '/snapshots/day', name: 'day', component: () => import('@/pages/Day.vue'), meta: { title: 'nav.day', power: 'snapshots' } },
  { path: '/exports', name: 'exports', component: () => import('@/pages/Exports.vue'), meta: { title: 'nav.exports', power: 'export' } },
  { path: '/reports', name: 'reports', component: () => import('@/pages/Reports.vue'), meta: { title: 'nav.reports', power: 'watch' } },
  { path: '/users', name: 'users', component: () => import('@/pages/Users.vue'), meta: { title: 'nav.users', power: 'users' } },
  { path: '/channels', name: 'channels', component: () => import('@/pages/Channels.vue'), meta: { title: 'nav.channels', power: 'channels' } },
  { path: '/mailings', name: 'mailings', component: () => import('@/pages/Mailings.vue'), meta: { title: 'nav.mailings', power: 'channels' } },
  { path: '/tokens', name: 'tokens', component: () => import('@/pages/Tokens.vue'), meta: { title: 'nav.tokens', power: 'users' } },
  { path: '/account', name: 'account', component: () => import('@/pages/Account.vue'), meta: { title: 'account.title' } },
  { path: '/audit', name: 'audit', component: () => import('@/pages/Audit.vue'), meta: { title: 'nav.audit', power: 'audit' } },
  { path: '/register', name: 'register', component: () => import('@/pages/Register.vue'), meta: { title: 'nav.register', power: 'import' } },
  { path: '/import', name: 'import', component: () => import('@/pages/Import.vue'), meta: { title: 'nav.import', power: 'import' } },
  { path: '/self', name: 'self', component: () => import('@/pages/SelfHealth.vue'), meta: { title: 'nav.self', power: 'self' } },
  { path: '/retention', name: 'retention', component: () => import('@/pages/Retention.vue'), meta: { title: 'nav.retention', power: 'retention' } },
  { path: '/demo', name: 'demo', component: () => import('@/pages/Demo.vue'), meta: { title: 'nav.demo', power: 'demo' } },
  { path: '/more', name: 'more', component: () => import('@/pages/More.vue'), meta: { title: 'nav.more' } },
  { path: '/:rest(.*)*', name: 'lost', component: () => import('@/pages/Lost.vue'), meta: { title: 'lost.title' } },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
})

let asked = false

router.beforeEach(async (to) => {
  if (!asked) {
    await meetService()
    asked = true
  }
  const now = session.value
  if (to.name === 'sign-in') return now && !now.must_change_password ? { name: 'overview' } : true
  if (!now) return { name: 'sign-in', query: to.fullPath === '/' ? {} : { next: to.fullPath } }
  if (!now.must_change_password && now.second_factor_missing) {
    return to.name === 'account' ? true : { name: 'account', query: { next: to.fullPath } }
  }
  if (now.must_change_password) return to.name === 'password' ? true : { name: 'password', query: to.query }
  startBoard()
  if (to.name === 'overview' && !may('watch')) return { name: 'users' }
  if (to.meta.power && !may(to.meta.power)) return { name: 'lost', params: { rest: to.path.slice(1).split('/') } }
  return true
})

/** The page that could not be fetched, and why; null while all is well. */
export const missing = shallowRef<{ to: RouteLocationNormalized; why: Problem } | null>(null)
router.onError((_error, to) => (missing.value = { to, why: new Problem(0, 'unreachable', '', '', null) }))
router.afterEach(() => (missing.value = null))
/** Goes there from the beginning once the service answers: after an update its pages may have other names. */
export async function fetchMissing(): Promise<void> {
  const wanted = missing.value
  if (!wanted) return
  try {
    await fetch('/livez', { cache: 'no-store' })
    location.assign(wanted.to.fullPath)
  } catch {
    missing.value = { ...wanted, why: new Problem(0, 'unreachable', '', '', null) }
  }
}

// Loaded anew: what he saw is in the memory of this page, and the next one to sign in may be somebody else.
whenLeft(() => {
  const here = router.currentRoute.value
  if (here.name !== 'sign-in') {
    location.replace(router.resolve({ name: 'sign-in', query: here.meta.open ? {} : { next: here.fullPath } }).href)
  }
})
