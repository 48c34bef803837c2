//! Random passwords, from the system's generator.

use serde::Deserialize;

use crate::error::SecretsManagerError;

const LOWERCASE: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPERCASE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const NUMBERS: &str = "0123456789";
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const SPACE: &str = " ";
const DEFAULT_LENGTH: i64 = 32;
const MAX_LENGTH: i64 = 4096;

/// What a password is to be like.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PasswordRequest {
    pub(crate) password_length: Option<i64>,
    pub(crate) exclude_characters: Option<String>,
    pub(crate) exclude_numbers: Option<bool>,
    pub(crate) exclude_punctuation: Option<bool>,
    pub(crate) exclude_uppercase: Option<bool>,
    pub(crate) exclude_lowercase: Option<bool>,
    pub(crate) include_space: Option<bool>,
    pub(crate) require_each_included_type: Option<bool>,
}

impl PasswordRequest {
    /// A password like that.
    pub(crate) fn generate(&self) -> Result<String, SecretsManagerError> {
        let length = self.length()?;
        let types = self.types()?;
        let all: Vec<char> = types.iter().flatten().copied().collect();
        let mut password = Vec::with_capacity(length);
        if self.require_each_included_type != Some(false) {
            if length < types.len() {
                let text = "Password length too short based on the required types.";
                return Err(SecretsManagerError::InvalidParameter(text.into()));
            }
            password.extend(types.iter().map(|one| one[below(one.len())]));
        }
        while password.len() < length {
            password.push(all[below(all.len())]);
        }
        for last in (1..password.len()).rev() {
            password.swap(last, below(last + 1));
        }
        Ok(password.into_iter().collect())
    }

    fn length(&self) -> Result<usize, SecretsManagerError> {
        let given = self.password_length.unwrap_or(DEFAULT_LENGTH);
        let rule = if given < 1 {
            "Member must have value greater than or equal to 1".to_owned()
        } else {
            format!("Member must have value less than or equal to {MAX_LENGTH}")
        };
        let length = usize::try_from(given)
            .ok()
            .filter(|_| (1..=MAX_LENGTH).contains(&given));
        length.ok_or_else(|| SecretsManagerError::constraint(&format!("'{given}'"), "passwordLength", &rule))
    }

    /// The characters of each type that is wanted.
    fn types(&self) -> Result<Vec<Vec<char>>, SecretsManagerError> {
        let excluded = self.exclude_characters.as_deref().unwrap_or_default();
        let wanted = [
            (LOWERCASE, self.exclude_lowercase != Some(true)),
            (UPPERCASE, self.exclude_uppercase != Some(true)),
            (NUMBERS, self.exclude_numbers != Some(true)),
            (PUNCTUATION, self.exclude_punctuation != Some(true)),
            (SPACE, self.include_space == Some(true)),
        ];
        let types = wanted.iter().filter(|(_, wanted)| *wanted);
        let types = types.map(|(all, _)| all.chars().filter(|c| !excluded.contains(*c)).collect());
        let types: Vec<Vec<char>> = types.filter(|one: &Vec<char>| !one.is_empty()).collect();
        if types.is_empty() {
            let text = "Every character is excluded; a password needs some.";
            return Err(SecretsManagerError::InvalidParameter(text.into()));
        }
        Ok(types)
    }
}

/// Letters and digits, each as likely as the other.
pub(crate) fn letters_and_digits(length: usize) -> String {
    let all: Vec<char> = [LOWERCASE, UPPERCASE, NUMBERS]
        .iter()
        .flat_map(|one| one.chars())
        .collect();
    (0..length).map(|_| all[below(all.len())]).collect()
}

/// A random number below `bound`, which is 1 to 65,536, each as likely as the other.
fn below(bound: usize) -> usize {
    const NUMBERS: usize = 1 << 16;
    loop {
        let mut bytes = [0; 2];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
        let drawn = usize::from(u16::from_le_bytes(bytes));
        if drawn < NUMBERS - NUMBERS % bound {
            return drawn % bound;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(password: &str, all: &str) -> bool {
        password.chars().any(|c| all.contains(c))
    }

    #[test]
    fn a_password_has_each_type_it_may_have() {
        for _ in 0..50 {
            let request = PasswordRequest {
                password_length: Some(5),
                include_space: Some(true),
                ..PasswordRequest::default()
            };
            let password = request.generate().unwrap();
            assert_eq!(password.chars().count(), 5);
            for all in [LOWERCASE, UPPERCASE, NUMBERS, PUNCTUATION, SPACE] {
                assert!(has(&password, all), "{password} has none of {all}");
            }
        }
        assert_eq!(PasswordRequest::default().generate().unwrap().len(), 32);
    }

    #[test]
    fn what_is_excluded_does_not_appear() {
        let request = PasswordRequest {
            password_length: Some(400),
            exclude_characters: Some("abcABC@".into()),
            exclude_numbers: Some(true),
            ..PasswordRequest::default()
        };
        let password = request.generate().unwrap();
        assert!(!has(&password, "abcABC@0123456789"), "{password}");
        assert!(has(&password, PUNCTUATION) && has(&password, UPPERCASE));
    }

    #[test]
    fn impossible_passwords_are_refused() {
        let refused = |request: PasswordRequest| request.generate().unwrap_err().code();
        let length = |length| PasswordRequest {
            password_length: Some(length),
            ..PasswordRequest::default()
        };
        assert_eq!(refused(length(3)), "InvalidParameterException");
        assert_eq!(refused(length(0)), "ValidationException");
        assert_eq!(refused(length(4097)), "ValidationException");
        let only = PasswordRequest {
            exclude_lowercase: Some(true),
            exclude_uppercase: Some(true),
            exclude_punctuation: Some(true),
            exclude_characters: Some(NUMBERS.into()),
            ..PasswordRequest::default()
        };
        assert_eq!(refused(only), "InvalidParameterException");
    }

    #[test]
    fn every_number_is_drawn() {
        let mut seen = [false; 62];
        for _ in 0..10_000 {
            seen[below(62)] = true;
        }
        assert!(seen.iter().all(|seen| *seen));
    }
}
