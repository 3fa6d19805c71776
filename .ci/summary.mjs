// Prints the closing line of test runs, and fails when a test failed, was skipped, or a run had none.
import { readFileSync } from 'node:fs';

const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const results = reports
  .flatMap(({ testResults }) => testResults)
  .flatMap((file) =>
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
const isEmpty = reports.some(({ numPassedTests }) => numPassedTests === 0);
process.exit(!isEmpty && failed === 0 && skipped === 0 ? 0 : 1);
