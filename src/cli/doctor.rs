//! x
#[derive(clap::Args)]
pub struct Doctor {
    #[command(flatten)]
    pub(super) common: super::Common,
}
impl Doctor {
    pub fn main(&self, _r: &std::sync::Arc<crate::run::Run>) -> crate::run::Result<i32> {
        Ok(0)
    }
}
