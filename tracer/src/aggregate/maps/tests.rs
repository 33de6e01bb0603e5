//! Records of maps, made up, through the real decoder.
