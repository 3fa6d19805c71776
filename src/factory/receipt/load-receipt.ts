import { parseCheckedYaml } from '../../formats/checked-yaml.ts';
import { readText } from '../read-text.ts';
import { type Receipt, receiptSchema } from './receipt.ts';

/** Reads a receipt. Throws FILE_UNREADABLE, RECEIPT_INVALID naming line and field. */
export async function loadReceipt(path: string): Promise<Receipt> {
  const text = await readText(path);
  return parseCheckedYaml(text, { file: path, code: 'RECEIPT_INVALID', schema: receiptSchema }).value;
}
