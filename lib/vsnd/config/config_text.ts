// SPDX-License-Identifier: MIT
/** Reading the text of a configuration file, with a bound on its size. */
import { Exit, XsndError } from "../../base/error.ts";
import { inputName } from "../../base/standard_file.ts";
import { decodeText, NotUtf8, readBeginning } from "../../base/text_file.ts";
import { ConfigError, refuseForeign } from "./config_error.ts";
import { foreignOctets } from "./file_kind.ts";

/** The largest file that is read. */
const MAX_FILE_OCTETS = 1024 * 1024;

/**
 * The text of `file`. Throws {@link XsndError} (exit 6) if the file cannot be read or is too large, and {@link ConfigError} if
 * the file holds no text, or text that is not UTF-8.
 */
export function readConfigText(file: string): string {
  const options = { what: "the configuration", most: MAX_FILE_OCTETS, exitCode: Exit.badConfiguration };
  const octets = readBeginning(file, options);
  refuseForeign(foreignOctets(octets, file), file);
  if (octets.length > MAX_FILE_OCTETS) {
    const why = `it has more than ${MAX_FILE_OCTETS} octets`;
    throw new XsndError(`${inputName(file)} is no configuration: ${why}`, Exit.badConfiguration);
  }
  try {
    return decodeText(octets);
  } catch (error) {
    if (!(error instanceof NotUtf8)) throw error;
    const { message, line, column } = error;
    const why = "the guest's names would come out wrong";
    const instead = "save the file as UTF-8; iconv(1) converts";
    throw new ConfigError(file, [{ path: [], what: message, why, instead, line, column }]);
  }
}
