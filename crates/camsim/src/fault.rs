//! What can go wrong with a simulated camera: a closed list of faults, and small sets of them.

use serde::{Deserialize, Serialize};

macro_rules! faults {
    ($($name:ident, $code:literal, $zh:literal, $en:literal;)*) => {
        /// One way in which a camera or its link misbehaves. The codes are stable: they are sent.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum Fault {
            $(#[doc = concat!($zh, ": ", $en, ".")] $name,)*
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// The word used in the control API.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Fault::$name => $code,)* }
            }

            /// The fault with this [`code`](Self::code).
            #[must_use]
            pub fn from_code(code: &str) -> Option<Fault> {
                match code { $($code => Some(Fault::$name),)* _ => None }
            }

            /// What it is called: Simplified Chinese, English.
            #[must_use]
            pub fn text(self) -> (&'static str, &'static str) {
                match self { $(Fault::$name => ($zh, $en),)* }
            }
        }
    };
}

faults! {
    PowerOff, "power_off", "断电", "power off";
    BlackHole, "black_hole", "链路中断", "link cut";
    PortClosed, "port_closed", "端口关闭", "port closed";
    Slow, "slow", "应答过慢", "slow to answer";
    WrongPassword, "wrong_password", "密码已被修改", "password changed";
    AccountLocked, "account_locked", "账号被锁定", "account locked";
    NotFound, "not_found", "取流路径不存在", "stream not found";
    SessionLimit, "session_limit", "会话已满", "session limit reached";
    NoVideo, "no_video", "没有视频通道", "no video in the session description";
    NoRtp, "no_rtp", "无视频数据", "no RTP";
    Stall, "stall", "码流中断", "stalls mid-stream";
    PacketLoss, "packet_loss", "丢包", "packet loss";
    LowFrameRate, "low_frame_rate", "帧率过低", "low frame rate";
    NoKeyframe, "no_keyframe", "没有关键帧", "no keyframe";
    Corrupt, "corrupt", "码流损坏", "corrupt bitstream";
    Frozen, "frozen", "画面冻结", "frozen picture";
    Black, "black", "黑屏", "black picture";
    TooDark, "too_dark", "画面过暗", "too dark";
    TooBright, "too_bright", "画面过亮", "too bright";
    Blurred, "blurred", "画面模糊", "blurred";
    Covered, "covered", "镜头遮挡", "covered";
    ColourCast, "colour_cast", "画面偏色", "colour cast";
    Noise, "noise", "雪花噪声", "noise";
    Stripes, "stripes", "条纹干扰", "stripes";
    SceneMoved, "scene_moved", "场景变换", "scene moved";
    WrongClock, "wrong_clock", "时钟错误", "wrong clock";
    Garbage, "garbage", "应答乱码", "garbage instead of RTSP";
}

impl Fault {
    /// Whether it changes what the camera's encoder sees or makes, and so needs a clip of its own.
    pub(crate) fn alters_picture(self) -> bool {
        use Fault::*;
        matches!(
            self,
            LowFrameRate
                | Corrupt
                | Frozen
                | Black
                | TooDark
                | TooBright
                | Blurred
                | Covered
                | ColourCast
                | Noise
                | Stripes
                | SceneMoved
        )
    }

    /// Whether running sessions end when it begins, as they do when a camera restarts its stream service. Otherwise
    /// a fault that shows only while a session is opened would stay invisible until the next one.
    pub(crate) fn ends_sessions(self) -> bool {
        use Fault::*;
        matches!(self, Slow | WrongPassword | AccountLocked | NotFound | SessionLimit | NoVideo | NoRtp | Garbage)
    }
}

/// A set of faults.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct FaultSet(u32);

impl FaultSet {
    pub(crate) fn from_bits(bits: u32) -> FaultSet {
        FaultSet(bits)
    }

    pub(crate) fn bits(self) -> u32 {
        self.0
    }

    #[must_use]
    pub(crate) fn with(self, fault: Fault) -> FaultSet {
        FaultSet(self.0 | 1 << fault as u8)
    }

    pub(crate) fn has(self, fault: Fault) -> bool {
        self.0 & 1 << fault as u8 != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Members that `earlier` did not have.
    #[must_use]
    pub(crate) fn since(self, earlier: FaultSet) -> FaultSet {
        FaultSet(self.0 & !earlier.0)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |&f| self.has(f))
    }

    /// Nothing goes in or out: the camera has no power, or its link is cut.
    pub(crate) fn silent(self) -> bool {
        self.has(Fault::PowerOff) || self.has(Fault::BlackHole)
    }

    /// The one fault that decides which clip is sent, if any.
    pub(crate) fn picture(self) -> Option<Fault> {
        self.iter().find(|f| f.alters_picture())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_fit_their_serialized_form_and_a_set_of_32() {
        assert!(Fault::ALL.len() <= 32);
        for &fault in Fault::ALL {
            assert_eq!(Fault::from_code(fault.code()), Some(fault));
            assert_eq!(serde_json::to_value(fault).unwrap(), fault.code());
            assert_eq!(FaultSet::default().with(fault).iter().collect::<Vec<_>>(), [fault]);
        }
    }
}
