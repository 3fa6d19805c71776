import { parseCheckedYaml } from '../../formats/checked-yaml.ts';
import { readText } from '../read-text.ts';
import { type Receipt, receiptSchema } from './receipt.ts';

/** Reads a receipt. Throws FILE_UNREADABLE, RECEIPT_INVALID naming line and field. */
export async function loadReceipt(path: string): Promise<Receipt> {
  const text = await readText(path);
  const source = { file: path, code: 'RECEIPT_INVALID', schema: receiptSchema, keepsNull: true } as const;
  return parseCheckedYaml(text, source).value;
}
