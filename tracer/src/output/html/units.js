// Numbers for people, rounded as tracer/src/units.rs rounds them: the page and the terminal must not differ.
const tracer = { data: JSON.parse(document.getElementById("data").textContent) };

tracer.units = (() => {
  "use strict";
  const UNKNOWN = "-";
  const BYTES = [" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"];
  const BYTE_RATES = [" B/s", " KiB/s", " MiB/s", " GiB/s", " TiB/s", " PiB/s", " EiB/s", " ZiB/s", " YiB/s"];
  const COUNTS = ["", "k", "M", "G", "T", "P", "E"];
  const COUNT_RATES = ["/s", "k/s", "M/s", "G/s", "T/s", "P/s", "E/s"];

  // What lies exactly between two decimals goes to the even one, as in Rust; `toFixed` alone goes up. Such a value is an
  // odd number of halves, quarters or eighths.
  function fixed(value, digits) {
    const parts = value * 2 ** (digits + 1);
    if (!Number.isInteger(parts) || parts % 2 === 0) return value.toFixed(digits);
    const scale = 10 ** digits;
    const below = Math.floor(value * scale);
    return ((below % 2 === 0 ? below : below + 1) / scale).toFixed(digits);
  }

  function significant(value) {
    if (Number.isInteger(value)) return value.toFixed(0);
    if (value < 0.01) return "<0.01";
    if (value < 9.995) return fixed(value, 2);
    if (value < 99.95) return fixed(value, 1);
    return fixed(value, 0);
  }

  function scaled(value, base, units) {
    if (!Number.isFinite(value) || value < 0) return UNKNOWN;
    for (const unit of units) {
      if (Math.round(value) < base) return significant(value) + unit;
      value /= base;
    }
    return UNKNOWN;
  }

  const known = (format) => (value) => (value === null || value === undefined ? UNKNOWN : format(value));
  const bytes = known((value) => scaled(value, 1024, BYTES));
  const exact = known((value) => String(value).replace(/\B(?=(\d{3})+$)/g, ","));
  const nanoseconds = known((ns) => scaled(ns, 1000, [" ns", " µs", " ms", " s"]));
  const byteRate = known((rate) => scaled(rate, 1024, BYTE_RATES));

  return {
    UNKNOWN,
    bytes,
    exact,
    nanoseconds,
    byteRate,
    rate: known((rate) => scaled(rate, 1000, COUNT_RATES)),
    size: known((value) => (value < 10000 ? `${value} B` : bytes(value))),
    count: known((value) => (value < 10000 ? String(value) : scaled(value, 1000, COUNTS))),
    percent: known((value) => {
      if (value === 0) return "0 %";
      if (value > 0 && value < 0.1) return "<0.1 %";
      if (value > 0 && value < 100) return `${fixed(Math.min(value, 99.9), 1)} %`;
      if (value >= 100) return scaled(Math.round(value), 1000, [" %", "k %", "M %"]);
      return UNKNOWN;
    }),
    duration: known((ns) => {
      const seconds = Math.floor(ns / 1e9);
      const two = (number) => String(number).padStart(2, "0");
      if (seconds === 0) return nanoseconds(ns);
      if (seconds < 60) return `${fixed(ns / 1e9, 1)} s`;
      if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${two(seconds % 60)} s`;
      return `${Math.floor(seconds / 3600)} h ${two(Math.floor(seconds / 60) % 60)} m`;
    }),
    // How fast live bytes grow, where that is more than noise.
    growth: known((perSecond) => {
      if (perSecond === 0) return "~0";
      return (perSecond < 0 ? "-" : "+") + byteRate(Math.abs(perSecond));
    }),
    plural: (number, noun) => `${exact(number)} ${number === 1 ? noun : `${noun}s`.replace(/([^aeou])ys$/, "$1ies")}`,
    perSecond: (total, ns) => (total === null || !(ns > 0) ? null : (total * 1e9) / ns),
    share: (part, whole) => (part === null || !(whole > 0) ? null : (part * 100) / whole),
  };
})();
