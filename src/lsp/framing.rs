//! Reads the frames of the protocol and writes them in the one form that the protocol's library accepts.
//!
//! Header names may have any case, as in HTTP. The size of headers and messages is limited.

use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy,
};

/// The maximum size of the headers of one message, in bytes.
const HEADER_BYTES_MAX: u64 = 4 * 1024;
/// The maximum size of one message, in bytes: many times the maximum size of a file.
const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The reason why the server cannot read more messages. Without a valid frame, the start of the next message
/// is unknown.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// The headers do not end.
    #[error("the editor sent over {HEADER_BYTES_MAX} bytes of headers before a message")]
    Header,
    /// The length is missing or not valid.
    #[error("the editor sent a message without a usable `Content-Length`")]
    Length,
    /// The charset is not UTF-8.
    #[error("the editor sent a message in `{charset}`, but genesync reads only UTF-8")]
    Charset {
        /// The charset of the header, shortened.
        charset: String,
    },
    /// The message is incomplete, or a stream failed.
    #[error("the message of the editor broke off")]
    Stream(#[from] std::io::Error),
}

/// Forwards messages until the editor closes the stream.
///
/// # Errors
/// A message has no readable frame.
pub async fn pass(
    mut from: impl AsyncBufRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> Result<(), FramingError> {
    while let Some(length) = header(&mut from).await? {
        to.write_all(format!("Content-Length: {length}\r\n\r\n").as_bytes()).await?;
        let copied = copy(&mut (&mut from).take(length), &mut to).await?;
        if copied < length {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        to.flush().await?;
    }
    Ok(())
}

/// Reads the length of the next message, in bytes; none at the end of the stream.
async fn header(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Option<u64>, FramingError> {
    let mut left = from.take(HEADER_BYTES_MAX);
    let (mut length, mut is_begun) = (None, false);
    loop {
        let mut line = Vec::new();
        left.read_until(b'\n', &mut line).await?;
        if line.last() != Some(&b'\n') {
            return match (left.limit(), line.is_empty() && !is_begun) {
                (0, _) => Err(FramingError::Header),
                (_, true) => Ok(None),
                (_, false) => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            };
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            return length.map(Some).ok_or(FramingError::Length);
        }
        is_begun = true;
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let said = value.parse().ok().filter(|said| *said <= BODY_BYTES_MAX);
            let said: u64 = said
                .filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()))
                .ok_or(FramingError::Length)?;
            if length.is_some_and(|other| other != said) {
                return Err(FramingError::Length);
            }
            length = Some(said);
        } else if name.eq_ignore_ascii_case("content-type") {
            let parameters = value.split(';').skip(1).filter_map(|part| part.trim().split_once('='));
            let charset = parameters
                .filter(|(name, _)| name.eq_ignore_ascii_case("charset"))
                .map(|(_, charset)| charset);
            for charset in charset.map(|charset| charset.trim_matches('"')) {
                if !["utf-8", "utf8"].iter().any(|known| charset.eq_ignore_ascii_case(known)) {
                    return Err(FramingError::Charset { charset: charset.chars().take(40).collect() });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(input: &[u8]) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut output = Vec::new();
        let passed = runtime.block_on(pass(input, &mut output));
        passed.map(|()| String::from_utf8(output).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn headers_of_any_case_are_written_in_one_form() {
        let one = "Content-Length: 2\r\n\r\n{}";
        for input in [
            "Content-Length: 2\r\n\r\n{}",
            "content-length:2\r\n\r\n{}",
            "CONTENT-LENGTH: 2 \r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}",
            "X-Other: 1\nContent-Length: 2\nContent-Length: 2\n\n{}",
            "content-type: application/json; CharSet=\"UTF8\"\r\nContent-Length: 2\r\n\r\n{}",
            "content-type: application/vscode-jsonrpc\r\nContent-Length: 2\r\n\r\n{}",
        ] {
            assert_eq!(passed(input.as_bytes()), Ok(one.to_owned()), "{input}");
            let twice = format!("{input}{input}");
            assert_eq!(passed(twice.as_bytes()), Ok(format!("{one}{one}")), "{twice}");
        }
        assert_eq!(passed(b""), Ok(String::new()));
        let filled = |bytes: usize| format!("X: {}\r\nContent-Length: 2\r\n\r\n{{}}", "x".repeat(bytes));
        assert_eq!(passed(filled(4_000).as_bytes()), Ok(one.to_owned()));
    }

    #[test]
    fn a_message_without_a_valid_frame_is_an_error() {
        let long = format!("X: {}\r\nContent-Length: 2\r\n\r\n{{}}", "x".repeat(5_000));
        for (input, said) in [
            ("\r\n{}", "without a usable"),
            ("{}", "broke off"),
            ("Content-Length: 2", "broke off"),
            ("Content-Length: -2\r\n\r\n{}", "without a usable"),
            ("Content-Length: +2\r\n\r\n{}", "without a usable"),
            ("Content-Length: 99999999999999999999\r\n\r\n{}", "without a usable"),
            ("Content-Length: 68000000\r\n\r\n{}", "without a usable"),
            ("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "without a usable"),
            ("Content-Type: x; charset=latin1\r\nContent-Length: 2\r\n\r\n{}", "`latin1`"),
            ("Content-Length: 9\r\n\r\n{}", "broke off"),
            (&long, "over 4096 bytes"),
        ] {
            let error = passed(input.as_bytes()).unwrap_err();
            assert!(error.contains(said), "{input}: {error}");
        }
    }
}
