import base from './playwright.config'

// How the pages bear a big, restless fleet: served by `cargo test -p sharpeyes-web --test busy`.
export default { ...base, testMatch: 'busy.measure.ts' }
