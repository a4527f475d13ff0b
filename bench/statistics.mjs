// What samples come to, and how it is written.
export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
export const geometricMean = (values) => Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
export const show = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : "-");
