// Runs before the first paint, so that a light page never flashes dark. Kept apart: the page allows no inline script.
(function () {
  try {
    var light = localStorage.getItem('sharpeyes.theme') === 'light'
    document.documentElement.classList.toggle('dark', !light)
    document.documentElement.lang = localStorage.getItem('sharpeyes.language') === 'en' ? 'en' : 'zh-CN'
  } catch (e) {
    /* storage may be forbidden: the default stands */
  }
})()
