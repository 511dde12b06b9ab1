/** What somebody does with their own account, by the server's REST API. */
import { request } from '../../rest';

export interface Me {
  key: string;
  name: string;
  /** `#rrggbb`. */
  color?: string;
  time_zone?: string;
  email?: string;
  email_confirmed?: boolean;
}

export interface Session {
  id: string;
  created: string;
  /** When it was used last, to the hour. */
  seen: string;
  agent: string;
  current: boolean;
}

export interface Invitation {
  id: string;
  /** Only when it is made. */
  url?: string | null;
  role: 'member' | 'admin';
  uses_left: number;
  expires: string;
  /** The key of who made it. */
  by: string;
}

export interface NewInvitation {
  uses: number;
  seconds: number;
  role: Invitation['role'];
}

export const profile = () => request<Me>('GET', 'me');
/** An empty text removes a value. */
export const changeProfile = (changes: Partial<Omit<Me, 'key'>>) => request<Me>('PATCH', 'me', changes);

/** Sends a link to one's own e-mail address. */
export const askToConfirm = (password: string) => request<void>('POST', 'me/email/confirmation', { password });

export const sessions = () => request<Session[]>('GET', 'sessions');
export const endSession = (id: string) => request<void>('DELETE', `sessions/${encodeURIComponent(id)}`);

export const invitations = () => request<Invitation[]>('GET', 'invitations');
export const invite = (wanted: NewInvitation) => request<Invitation>('POST', 'invitations', wanted);
export const revokeInvitation = (id: string) => request<void>('DELETE', `invitations/${encodeURIComponent(id)}`);
