// Puts the page together: what is seen first is made first, the rest after that is on the screen.
(() => {
  "use strict";
  const { dom, theme, head, sites, flameView, maps, timeline, runtime } = tracer;

  theme.connect(dom.get("theme"));
  head.title();
  head.summary();
  head.findings();
  sites.show();

  function rest() {
    const sections = [flameView.show, maps.types, maps.show, timeline.show, runtime.memory, runtime.live, runtime.collector, runtime.faults, runtime.completeness, runtime.overhead];
    for (const show of sections) show();
    head.contents();
    const at = /^#site-(\d+)$/.exec(location.hash);
    if (at) sites.open(Number(at[1]));
    performance.mark("ready");
    document.documentElement.dataset.ready = "true";
  }
  requestAnimationFrame(() => setTimeout(rest));
})();
