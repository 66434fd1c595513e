import base from './playwright.config'

// What each page shows while it waits, fails, is cut off and has nothing: against a running `sharpeyes demo`.
export default { ...base, testMatch: 'states.measure.ts' }
