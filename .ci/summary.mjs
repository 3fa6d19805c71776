// Prints the closing line of a test run, and fails when a test failed, was skipped, or none ran.
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const results = report.testResults.flatMap((file) =>
  file.assertionResults.length === 0 && file.status === 'failed'
    ? [{ status: 'failed', fullName: file.name }]
    : file.assertionResults,
);
const count = (...states) => results.filter((result) => states.includes(result.status)).length;
const passed = count('passed');
const failed = count('failed');
const skipped = results.length - passed - failed;
for (const result of results) {
  if (result.status !== 'passed') console.log(`${result.status}: ${result.fullName}`);
}
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(passed > 0 && failed === 0 && skipped === 0 ? 0 : 1);
