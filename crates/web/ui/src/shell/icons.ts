// The few line icons of the frame; everything else is words.
export {
  Bell,
  Camera,
  DataLine,
  Files,
  Grid,
  MagicStick as Magic,
  Monitor,
  MoreFilled,
  OfficeBuilding,
  Odometer,
  FullScreen,
  Moon,
  Sunny,
  SwitchButton,
  Upload,
  User,
} from '@element-plus/icons-vue'
