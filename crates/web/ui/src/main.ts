import { createApp } from 'vue'
import { VueQueryPlugin, QueryClient } from '@tanstack/vue-query'
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import 'element-plus/theme-chalk/el-message.css'
import '@/styles/base.css'
import App from '@/App.vue'
import { watchOver } from '@/api/attended'
import { Problem } from '@/api/http'
import { plugin, startLanguage } from '@/i18n'
import { router } from '@/router'

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A closed network: whether the service answers is found out by asking, not by what the browser thinks of it.
      networkMode: 'always',
      refetchOnWindowFocus: false,
      // What we did wrong will be wrong again; only a silent or sick service is asked once more.
      retry: (times, error) => times < 1 && (!(error instanceof Problem) || error.status === 0 || error.status >= 500),
    },
  },
})

watchOver(window)
void startLanguage().then(() => {
  createApp(App).use(plugin).use(router).use(VueQueryPlugin, { queryClient: queries }).mount('#app')
})
