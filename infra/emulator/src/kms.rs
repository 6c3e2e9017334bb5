//! The KMS keys: they encrypt and decrypt. Each key is in a file of its own; the callers store what
//! was encrypted.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::arn;
use crate::definition::KmsKey;
use crate::limits::KMS_KEY_LINES;

/// The number of bytes of the key on one line of a file.
const KEY_BYTES: usize = 32;

/// The number of bytes of a line's name: the first bytes of the key's hash. Each ciphertext begins
/// with the name of the line that has encrypted it.
const NAME_BYTES: usize = 8;

/// An encryption context: names with values, which are not secret. A ciphertext can be decrypted
/// only with the context that it was encrypted with.
pub type Context = BTreeMap<String, String>;

/// The file of a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the file of the KMS key {alias}, {file}: {cause}")]
pub struct KeyFileError {
    /// The alias of the key.
    pub alias: String,
    /// The path of the file.
    pub file: String,
    /// The reason.
    pub cause: KeyFileCause,
}

/// The reason why the file of a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileCause {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file has no line.
    #[error("it is empty, where it should hold a key")]
    Empty,
    /// The line of this number, counted from 1, is not a key.
    #[error("line {0} is not {KEY_BYTES} bytes in base64")]
    Line(usize),
    /// The file has too many lines.
    #[error("it has more than {KMS_KEY_LINES} lines")]
    Lines,
    /// The operating system returns no random bytes.
    #[error("a new key cannot be made without random bytes")]
    Random,
}

/// The reason why a ciphertext is not decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDecrypted {
    /// The ciphertext was encrypted by another key than the one in the request.
    #[error("it was encrypted by another key")]
    OtherKey,
    /// None of the keys has encrypted the ciphertext, the context is another one, or the ciphertext
    /// is damaged.
    #[error("it is damaged, or was encrypted by an unknown key or with another context")]
    Damaged,
}

/// All KMS keys of a system.
#[derive(Debug)]
pub struct Kms {
    keys: Vec<Key>,
}

/// A symmetric key.
#[derive(Debug)]
pub struct Key {
    /// The alias, which begins with `alias/`.
    pub alias: String,
    /// The id, a UUID that is derived from the first line of the file.
    pub id: String,
    lines: Vec<Line>,
}

/// One line of the file of a key.
struct Line {
    name: [u8; NAME_BYTES],
    cipher: LessSafeKey,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

impl Kms {
    /// Reads the files of the keys, and creates missing files. Fails where a file is damaged, or
    /// cannot be read or created.
    pub fn open(defined: &[KmsKey]) -> Result<Self, KeyFileError> {
        let key = |defined: &KmsKey| {
            Key::open(defined).map_err(|cause| KeyFileError {
                alias: defined.alias.clone(),
                file: defined.file.display().to_string(),
                cause,
            })
        };
        let keys = defined.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// Returns all keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns the key with this id, alias, ARN, or ARN of its alias.
    pub fn key(&self, name: &str) -> Option<&Key> {
        let mut keys = self.keys.iter();
        keys.find(|key| {
            let arns = [key.arn(), arn::kms_alias(&key.alias)];
            key.id == name || key.alias == name || arns.iter().any(|arn| arn == name)
        })
    }

    /// Decrypts a ciphertext, and returns the key that has encrypted it, and the plaintext. Fails
    /// with `OtherKey` where `only` is another key than that.
    pub fn decrypt(
        &self,
        only: Option<&Key>,
        context: &Context,
        encrypted: &[u8],
    ) -> Result<(&Key, Vec<u8>), NotDecrypted> {
        let parts = encrypted.split_first_chunk::<NAME_BYTES>();
        let (name, rest) = parts.ok_or(NotDecrypted::Damaged)?;
        let mut keys = self.keys.iter();
        let found = keys.find_map(|key| Some((key, key.line(name)?)));
        let (key, line) = found.ok_or(NotDecrypted::Damaged)?;
        if only.is_some_and(|only| only.id != key.id) {
            return Err(NotDecrypted::OtherKey);
        }
        let (nonce, sealed) = rest
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(NotDecrypted::Damaged)?;
        let (nonce, mut bytes) = (Nonce::from(nonce), sealed.to_vec());
        let opened = line
            .cipher
            .open_in_place(nonce, authenticated_data(context), &mut bytes);
        let opened = opened.map_err(|_| NotDecrypted::Damaged)?.to_vec();
        Ok((key, opened))
    }
}

impl Key {
    /// Returns the ARN of the key.
    pub fn arn(&self) -> String {
        arn::kms_key(&self.id)
    }

    /// Returns this number of random bytes, and their ciphertext; `None` where the operating system
    /// returns no random bytes.
    pub fn data_key(&self, bytes: usize, context: &Context) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut plain, mut nonce) = (vec![0; bytes], [0; NONCE_LEN]);
        rand::fill(&mut plain).ok()?;
        rand::fill(&mut nonce).ok()?;
        let line = self.lines.last()?;
        let (mut sealed, unique) = (plain.clone(), Nonce::from(&nonce));
        let cipher = &line.cipher;
        let done =
            cipher.seal_in_place_append_tag(unique, authenticated_data(context), &mut sealed);
        done.ok()?;
        Some((plain, [&line.name[..], &nonce, &sealed].concat()))
    }

    fn open(defined: &KmsKey) -> Result<Self, KeyFileCause> {
        let file = &defined.file;
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = [0; KEY_BYTES];
                rand::fill(&mut bytes).map_err(|_| KeyFileCause::Random)?;
                let text = STANDARD.encode(bytes) + "\n";
                write_new(file, &text)?;
                text
            }
            read => read?,
        };
        Self::read(&defined.alias, &text)
    }

    fn read(alias: &str, text: &str) -> Result<Self, KeyFileCause> {
        if text.lines().count() > KMS_KEY_LINES {
            return Err(KeyFileCause::Lines);
        }
        let mut id = None;
        let lines = text.lines().enumerate().map(|(number, line)| {
            let wrong = || KeyFileCause::Line(number + 1);
            let bytes = STANDARD.decode(line.trim_end()).map_err(|_| wrong())?;
            let cipher = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| wrong())?;
            let hash = digest::digest(&digest::SHA256, &bytes);
            let (name, rest) = hash.as_ref().split_first_chunk().ok_or_else(wrong)?;
            let named = rest.first_chunk().ok_or_else(wrong)?;
            id.get_or_insert_with(|| Uuid::from_bytes(*named).to_string());
            Ok(Line {
                name: *name,
                cipher: LessSafeKey::new(cipher),
            })
        });
        let lines = lines.collect::<Result<_, KeyFileCause>>()?;
        Ok(Self {
            alias: alias.to_owned(),
            id: id.ok_or(KeyFileCause::Empty)?,
            lines,
        })
    }

    fn line(&self, name: &[u8; NAME_BYTES]) -> Option<&Line> {
        self.lines.iter().find(|line| line.name == *name)
    }
}

/// Returns the additional authenticated data for a context. Equal contexts have the same text,
/// whatever the order of their names; different contexts have different texts.
fn authenticated_data(context: &Context) -> Aad<String> {
    let pairs = context.iter();
    let pairs = pairs.map(|(name, value)| format!("{}:{name}={}:{value}", name.len(), value.len()));
    Aad::from(pairs.collect())
}

/// Creates a file that only its owner may read, and waits until it is on disk. Never replaces an
/// existing file. A process that is killed meanwhile leaves no incomplete file at `path`.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_added_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::hard_link(&unfinished, path)?;
    fs::remove_file(&unfinished)?;
    // The name of the file is on disk once its folder is flushed.
    #[cfg(unix)]
    if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ALIAS: &str = "alias/toy-readers";

    fn line(byte: u8) -> String {
        STANDARD.encode([byte; KEY_BYTES])
    }

    fn of(texts: &[&str]) -> Kms {
        let keys = texts.iter().map(|text| Key::read(ALIAS, text).unwrap());
        Kms {
            keys: keys.collect(),
        }
    }

    fn context(pairs: &[(&str, &str)]) -> Context {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_a_key_encrypts_it_decrypts_after_a_rotation_too() {
        let (one, two) = (line(1), line(2));
        let (before, reader) = (of(&[&one]), context(&[("reader", "7"), ("branch", "a")]));
        let (plain, encrypted) = before.keys[0].data_key(32, &reader).unwrap();
        assert_eq!(plain.len(), 32);
        assert!(!encrypted.windows(32).any(|part| part == plain));
        let rotated = of(&[&format!("{one}\n{two}\n")]);
        assert_eq!(rotated.keys[0].id, before.keys[0].id);
        let (key, opened) = rotated.decrypt(None, &reader, &encrypted).unwrap();
        assert_eq!((&key.id, opened), (&before.keys[0].id, plain));
        let (plain, encrypted) = rotated.keys[0].data_key(16, &reader).unwrap();
        let newer = of(&[&two]);
        assert_eq!(newer.decrypt(None, &reader, &encrypted).unwrap().1, plain);
        let refused = before.decrypt(None, &reader, &encrypted).unwrap_err();
        assert_eq!(refused, NotDecrypted::Damaged);
    }

    #[test]
    fn nothing_is_decrypted_with_another_context_or_key_or_where_it_is_damaged() {
        let kms = of(&[&line(1), &line(2)]);
        let reader = context(&[("reader", "7")]);
        let (_, encrypted) = kms.keys[0].data_key(32, &reader).unwrap();
        let refused = |context: &Context, bytes: &[u8]| {
            kms.decrypt(None, context, bytes).map(|_| ()).unwrap_err()
        };
        for other in [
            context(&[]),
            context(&[("reader", "8")]),
            context(&[("reader", "7"), ("branch", "a")]),
        ] {
            assert_eq!(refused(&other, &encrypted), NotDecrypted::Damaged);
        }
        for place in 0..encrypted.len() {
            let mut damaged = encrypted.clone();
            damaged[place] ^= 1;
            assert_eq!(refused(&reader, &damaged), NotDecrypted::Damaged, "{place}");
            assert_eq!(refused(&reader, &encrypted[..place]), NotDecrypted::Damaged);
        }
        let [own, other] = &kms.keys[..] else {
            panic!()
        };
        assert!(kms.decrypt(Some(own), &reader, &encrypted).is_ok());
        let refused = kms.decrypt(Some(other), &reader, &encrypted).unwrap_err();
        assert_eq!(refused, NotDecrypted::OtherKey);
    }

    #[test]
    fn two_contexts_are_never_taken_for_the_same() {
        let text = |pairs: &[(&str, &str)]| authenticated_data(&context(pairs)).as_ref().to_vec();
        assert_eq!(
            text(&[("a", "1"), ("b", "2")]),
            text(&[("b", "2"), ("a", "1")])
        );
        assert_ne!(
            text(&[("a", "1"), ("b", "2")]),
            text(&[("a", "2"), ("b", "1")])
        );
        assert_ne!(text(&[("a", "1"), ("b", "2")]), text(&[("a", "11:b=1:2")]));
        assert_ne!(text(&[("a=1", "2")]), text(&[("a", "1=2")]));
    }

    #[test]
    fn a_file_of_keys_is_made_once_and_never_replaced() {
        let folder = std::env::temp_dir().join(format!("keys-{}", Uuid::new_v4()));
        fs::create_dir(&folder).unwrap();
        let key = KmsKey {
            alias: ALIAS.to_owned(),
            file: folder.join("toy.keys"),
        };
        let keys = || Kms::open(std::slice::from_ref(&key));
        // A file that a killed process has left.
        fs::write(folder.join("toy.keys.new"), "half").unwrap();
        let id = keys().unwrap().keys[0].id.clone();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        let text = fs::read_to_string(&key.file).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;

            let mode = fs::metadata(&key.file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(keys().unwrap().keys[0].id, id);
        assert_eq!(fs::read_to_string(&key.file).unwrap(), text);
        assert!(write_new(&key.file, "other").is_err());
        assert_eq!(fs::read_to_string(&key.file).unwrap(), text);

        let short = STANDARD.encode([1; 31]);
        for (damaged, why) in [
            (String::new(), "it is empty, where it should hold a key"),
            (
                format!("{text}no key\n"),
                "line 2 is not 32 bytes in base64",
            ),
            (format!("{short}\n"), "line 1 is not 32 bytes in base64"),
            (text.repeat(1_001), "it has more than 1000 lines"),
        ] {
            fs::write(&key.file, &damaged).unwrap();
            let told = keys().unwrap_err().to_string();
            let file = key.file.display();
            assert_eq!(
                told,
                format!("the file of the KMS key {ALIAS}, {file}: {why}")
            );
            assert_eq!(fs::read_to_string(&key.file).unwrap(), damaged);
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
