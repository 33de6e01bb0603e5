//! From a pointer to a Go type descriptor to the type's name, size and kind, out of the executable
//! alone: descriptors never change while the program runs, so its memory need not be read.
//!
//! Layout: `src/internal/abi/type.go`, the same from Go 1.19 to 1.27 for what is read here.

use super::{address::VirtualAddress, bytes, elf::Elf, moduledata::ModuleData, text};

/// The descriptor's common part (`abi.Type`).
const DESCRIPTOR: usize = 48;
const PTR_BYTES: usize = 8;
const TFLAG: usize = 20;
const KIND: usize = 23;
const STR: usize = 40;
/// The key and the element of a map type; the element alone of a pointer, slice, array or channel type
/// stands where a map type has its key.
const MAP_KEY: usize = 48;
const MAP_ELEM: usize = 56;
/// The struct that a map keeps its entries in (`MapType.Bucket`; from Go 1.24 `MapType.Group`).
const MAP_GROUP: usize = 64;
/// The name begins with a `*` that is not part of it (`abi.TFlagExtraStar`).
const TFLAG_EXTRA_STAR: u8 = 2;
/// The high bits of the kind were flags until Go 1.25 (`KindDirectIface`, `KindGCProg`).
const KIND_MASK: u8 = 31;
/// Long enough for any type a person wrote; a bound on what a hostile descriptor makes us copy.
const MAX_NAME: usize = 4096;

/// A Go type, as its descriptor describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoType {
    /// The name as `%T` prints it, such as `map[string]*main.User`: packages by their last element.
    pub name: String,
    /// The size of a value in bytes.
    pub size_bytes: u64,
    /// How many bytes of a value, from its start, can hold pointers; 0 if it has none.
    pub pointer_bytes: u64,
    /// Its kind.
    pub kind: Kind,
}

/// A map type, as its descriptor describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapType {
    /// The type of its keys.
    pub key: GoType,
    /// The type of its elements.
    pub elem: GoType,
    /// The descriptor of what eight entries are kept in: a bucket up to Go 1.23, a group from 1.24.
    pub group: VirtualAddress,
    /// The size of that.
    pub group_size_bytes: u64,
    /// How many bytes of it, from its start, can hold pointers; 0 if it has none.
    pub group_pointer_bytes: u64,
}

/// What sort of type it is (`reflect.Kind`), as far as memory is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A truth value, a number or an `unsafe.Pointer`.
    Scalar,
    /// An array.
    Array,
    /// A channel.
    Chan,
    /// A function value.
    Func,
    /// An interface value.
    Interface,
    /// A map.
    Map,
    /// A pointer.
    Pointer,
    /// A slice.
    Slice,
    /// A string.
    String,
    /// A struct.
    Struct,
}

impl Kind {
    fn from_descriptor(kind: u8) -> Option<Self> {
        Some(match kind & KIND_MASK {
            1..=16 | 26 => Self::Scalar,
            17 => Self::Array,
            18 => Self::Chan,
            19 => Self::Func,
            20 => Self::Interface,
            21 => Self::Map,
            22 => Self::Pointer,
            23 => Self::Slice,
            24 => Self::String,
            25 => Self::Struct,
            _ => return None,
        })
    }
}

/// Why a type pointer has no type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnknownType {
    /// The descriptor is not in the executable: `reflect` made the type at run time, or a plugin has it.
    #[error("the type was made at run time")]
    Outside,
    /// There is no well-formed descriptor at the address.
    #[error("the type descriptor is malformed")]
    Malformed,
    /// The executable's table of types was not found.
    #[error("the type table of the executable was not found")]
    NoTable,
}

/// Reads type descriptors out of the executable.
#[derive(Debug, Clone, Copy)]
pub struct TypeReader<'a> {
    elf: &'a Elf,
    module: Option<&'a ModuleData>,
}

impl<'a> TypeReader<'a> {
    pub(crate) fn new(elf: &'a Elf, module: Option<&'a ModuleData>) -> Self {
        Self { elf, module }
    }

    /// The type whose descriptor is at `address`.
    ///
    /// # Errors
    /// The reason why there is none.
    pub fn read(self, address: VirtualAddress) -> Result<GoType, UnknownType> {
        let descriptor = self.descriptor(address)?;
        self.parse(descriptor).ok_or(UnknownType::Malformed)
    }

    /// The map type whose descriptor is at `address`.
    ///
    /// # Errors
    /// The reason why there is no such map type.
    pub fn map(self, address: VirtualAddress) -> Result<MapType, UnknownType> {
        let descriptor = self.descriptor(address)?;
        let part = |at| bytes::u64_at(descriptor, at).map(VirtualAddress);
        let kind = bytes::u8_at(descriptor, KIND).and_then(Kind::from_descriptor);
        let (Some(Kind::Map), Some(key), Some(elem), Some(group)) =
            (kind, part(MAP_KEY), part(MAP_ELEM), part(MAP_GROUP))
        else {
            return Err(UnknownType::Malformed);
        };
        let entries = self.read(group)?;
        if entries.kind != Kind::Struct || entries.pointer_bytes > entries.size_bytes {
            return Err(UnknownType::Malformed);
        }
        Ok(MapType {
            key: self.read(key)?,
            elem: self.read(elem)?,
            group,
            group_size_bytes: entries.size_bytes,
            group_pointer_bytes: entries.pointer_bytes,
        })
    }

    /// The type of what goes through channels of the type whose descriptor is at `address`.
    ///
    /// # Errors
    /// The reason why there is no such channel type.
    pub fn channel_element(self, address: VirtualAddress) -> Result<GoType, UnknownType> {
        let descriptor = self.descriptor(address)?;
        let kind = bytes::u8_at(descriptor, KIND).and_then(Kind::from_descriptor);
        match (kind, bytes::u64_at(descriptor, MAP_KEY)) {
            (Some(Kind::Chan), Some(element)) => self.read(VirtualAddress(element)),
            _ => Err(UnknownType::Malformed),
        }
    }

    /// The bytes from `address` to the end of the segment, if that is where types are.
    fn descriptor(self, address: VirtualAddress) -> Result<&'a [u8], UnknownType> {
        let (start, end) = self.module.ok_or(UnknownType::NoTable)?.types;
        if !(start..end).contains(&address.0) {
            return Err(UnknownType::Outside);
        }
        self.elf
            .bytes_from(address)
            .filter(|descriptor| descriptor.len() >= DESCRIPTOR)
            .ok_or(UnknownType::Malformed)
    }

    fn parse(self, descriptor: &[u8]) -> Option<GoType> {
        let name = self.name(bytes::i32_at(descriptor, STR)?)?;
        let star = bytes::u8_at(descriptor, TFLAG)? & TFLAG_EXTRA_STAR != 0;
        let name = if star { name.strip_prefix(b"*")? } else { name };
        Some(GoType {
            name: text::lossy(name),
            size_bytes: bytes::u64_at(descriptor, 0)?,
            pointer_bytes: bytes::u64_at(descriptor, PTR_BYTES)?,
            kind: Kind::from_descriptor(bytes::u8_at(descriptor, KIND)?)?,
        })
    }

    /// The name at an offset from the start of the types (`nameOff`): flags, length, bytes.
    fn name(self, offset: i32) -> Option<&'a [u8]> {
        let (start, end) = self.module?.types;
        let address = start.checked_add(u64::try_from(offset).ok()?)?;
        if address >= end {
            return None;
        }
        let (_flags, rest) = self
            .elf
            .bytes_from(VirtualAddress(address))?
            .split_first()?;
        let (name, _) = bytes::prefixed(rest)?;
        (!name.is_empty() && name.len() <= MAX_NAME).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{
        GoBinary,
        fixture::{BASE, Fixture, Image, MemoryFile, OUTER},
    };

    fn open(bytes: &[u8]) -> GoBinary {
        GoBinary::open(&MemoryFile::new(bytes).path()).unwrap()
    }

    #[test]
    fn types_are_read_and_their_absence_explained() {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                ..Fixture::default()
            };
            let Image {
                bytes, user, map, ..
            } = fixture.build();
            let binary = open(&bytes);
            let types = binary.types();
            let found = types.read(VirtualAddress(user)).unwrap();
            assert_eq!(found.name, "main.User");
            assert_eq!((found.size_bytes, found.pointer_bytes), (40, 16));
            assert_eq!(found.kind, Kind::Struct);
            assert_eq!(types.read(VirtualAddress(map)).unwrap().kind, Kind::Map);
            for outside in [0, BASE, OUTER, u64::MAX] {
                let error = types.read(VirtualAddress(outside)).unwrap_err();
                assert_eq!(error, UnknownType::Outside);
            }
            let error = types.read(VirtualAddress(map + 8)).unwrap_err();
            assert_eq!(error, UnknownType::Malformed);
        }
    }

    #[test]
    fn a_map_type_has_a_key_an_element_and_a_group() {
        for version in ["go1.19.8", "go1.27.3"] {
            let fixture = Fixture {
                version,
                ..Fixture::default()
            };
            let image = fixture.build();
            let binary = open(&image.bytes);
            let types = binary.types();
            let map = types.map(VirtualAddress(image.map)).unwrap();
            assert_eq!((&*map.key.name, map.key.kind), ("string", Kind::String));
            assert_eq!(map.elem, types.read(VirtualAddress(image.user)).unwrap());
            assert_eq!(map.group, VirtualAddress(image.group));
            assert_eq!((map.group_size_bytes, map.group_pointer_bytes), (200, 192));
            for (address, reason) in [
                (image.user, UnknownType::Malformed),
                (image.group, UnknownType::Malformed),
                (BASE, UnknownType::Outside),
            ] {
                assert_eq!(types.map(VirtualAddress(address)), Err(reason));
            }
        }
    }

    #[test]
    fn a_map_type_whose_parts_are_no_types_is_refused() {
        let image = Fixture::default().build();
        let offset = |address: u64| usize::try_from(address - BASE).unwrap();
        let refused = |at: u64, word: u64| {
            let mut bytes = image.bytes.clone();
            bytes[offset(at)..][..8].copy_from_slice(&word.to_le_bytes());
            let binary = open(&bytes);
            binary.types().map(VirtualAddress(image.map)).unwrap_err()
        };
        for part in [48, 56, 64] {
            assert_eq!(refused(image.map + part, 0x1111), UnknownType::Outside);
            let inside = refused(image.map + part, image.user + 8);
            assert_eq!(inside, UnknownType::Malformed);
        }
        let no_struct = refused(image.map + 64, image.map);
        assert_eq!(no_struct, UnknownType::Malformed);
        let more_pointers_than_bytes = refused(image.group + 8, 208);
        assert_eq!(more_pointers_than_bytes, UnknownType::Malformed);
    }
}
